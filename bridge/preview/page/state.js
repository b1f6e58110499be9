/**
 * The one state of the page, and who draws it. State flows one way: actions change it, the next
 * display frame draws what changed.
 *
 * @typedef {{where: string, what: string, remedy: string}} Problem
 * @typedef {{name: string, region: string, side: string}} CurveInfo
 * @typedef {{name: string, target: string, curves: CurveInfo[]}} RigMapInfo
 * @typedef {{key: string, name: string, recording: ?string, take: ?string}} Source
 *   What was opened: a recording, from which takes are generated, or a finished take.
 * @typedef {{emotion: string, intensity: number, mouth_guard: number, lookahead_ms: number,
 *   levels: object, rigmap: string, head: string}} Settings
 * @typedef {{source: ?Source, settings: Settings, take: ?object, progress: ?number,
 *   lanes: ?import('./curves.js').Curves, face: ?import('./curves.js').Curves}} Side
 *   One face: `take` is what it shows, `progress` (0..1) that of the take being made for it.
 */

/** The sides of a comparison. Without one there is only A. */
export const SIDES = ['A', 'B'];

/**
 * Return the state before anything is opened.
 * @param {object} session what the server says of itself
 */
export function initialState(session) {
  const named = session.takes.length > 0;
  return {
    session,
    mode: session.live && !named ? 'live' : 'takes',
    sources: [],
    uploads: [],
    sides: { A: emptySide(session), B: null },
    active: 'A',
    heads: session.heads,
    missing: {},
    time_s: 0,
    playing: false,
    rate: 1,
    loop: null,
    range: { start_s: 0, end_s: 1 },
    orbit: { azimuth: 0, elevation: 0 },
    collapsed: new Set(),
    onlyMoving: true,
    highlight: null,
    pointer_s: null,
    posed: null,
    live: null,
    steered: [],
    subject: null,
    problems: session.problems ?? [],
  };
}

/** How much of each part of a living face there is where nothing else is said, by name. */
export function usualLevels({ levels }) {
  return Object.fromEntries(Object.entries(levels).map(([name, part]) => [name, part.usual]));
}

/** @returns {Side} */
export function emptySide(session) {
  const settings = {
    emotion: session.emotions[0],
    intensity: 1,
    mouth_guard: session.mouth_guard,
    lookahead_ms: session.lookahead_ms.default,
    levels: usualLevels(session),
    rigmap: (
      session.rigmaps.find(({ target }) => target === 'livelinkface61') ?? session.rigmaps[0]
    ).name,
    head: session.heads[0].id,
  };
  return { source: null, settings, take: null, progress: null, lanes: null, face: null };
}

/** The sides that are shown, as [key, side]. */
export function shownSides(state) {
  return SIDES.filter((key) => state.sides[key]).map((key) => [key, state.sides[key]]);
}

/** The length of what is shown, in seconds; 0 while nothing is. */
export function duration(state) {
  return Math.max(0, ...shownSides(state).map(([, side]) => side.take?.duration_s ?? 0));
}

/** Holds the state and draws it, at most once for each display frame. */
export class Store {
  #drawers = [];
  #drawn = null;
  #isDue = false;

  constructor(state) {
    this.state = state;
  }

  /** Take over some fields of the state. */
  set(patch) {
    this.state = { ...this.state, ...patch };
    this.#schedule();
  }

  /** Take over some fields of a side; a side that is gone stays gone. */
  setSide(key, patch) {
    if (!this.state.sides[key]) return;
    const side = { ...this.state.sides[key], ...patch };
    this.set({ sides: { ...this.state.sides, [key]: side } });
  }

  /** Show what went wrong, until it is dismissed. @param {Problem[]} problems */
  complain(...problems) {
    const same = (a, b) => a.where === b.where && a.what === b.what;
    const others = this.state.problems.filter((old) => !problems.some((p) => same(old, p)));
    this.set({ problems: [...others, ...problems].slice(-5) });
  }

  /** Call `draw(state, before)` after each change; at first `before` is null. */
  drawWith(draw) {
    this.#drawers.push(draw);
    this.#drawn = null;
    this.#schedule();
  }

  /** Draw now what has changed. */
  flush() {
    const before = this.#drawn;
    const state = this.state;
    if (state === before) return;
    this.#drawn = state;
    for (const draw of this.#drawers) draw(state, before);
  }

  #schedule() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.flush();
    });
  }
}
