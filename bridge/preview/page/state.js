/**
 * The one state of the page, and who draws it. State flows one way: actions change it, the next
 * display frame draws what changed.
 *
 * @typedef {{where: string, what: string, remedy: string}} Problem
 * @typedef {{name: string, region: string, side: string}} CurveInfo
 * @typedef {{name: string, target: string, curves: CurveInfo[]}} RigMapInfo
 * @typedef {{id: string, name: string, url: ?string}} HeadInfo `url` is null for a file of the user
 * @typedef {{id: string, label: string, suffix: string, target: ?string}} FormatInfo
 * @typedef {{label: string, title: string, minimum: number, maximum: number, step: number,
 *   default: number, unit: string, is_switch: boolean, group: string}} NumberInfo a number, or a
 *   switch, of the table of settings
 * @typedef {NumberInfo & {off: number, usual: number}} LevelInfo
 * @typedef {Record<string, number>} Levels amount of each part of procedural animation, by name
 * @typedef {{id: string, name: string, folder: string, recording: ?string, state: string, progress: number,
 *   problems: Problem[], duration_s: number, rate_hz: number, rows: number, has_sound: boolean,
 *   is_recorded: boolean,
 *   emotion: Record<string, number>, levels: Levels, notice: ?string,
 *   [setting: string]: any}} TakeInfo a take as the server describes it, with a number for each of
 *   the session's settings; `progress` 0..1
 * @typedef {{version: string, live: boolean, emotions: string[], max_weight: number,
 *   settings: Record<string, NumberInfo>, live_settings: Record<string, NumberInfo>,
 *   keys: {name: string, keys: string[], label: string, does: string, acts: boolean}[], levels: Record<string, LevelInfo>, rigmaps: RigMapInfo[],
 *   problems?: Problem[], heads: HeadInfo[], formats: FormatInfo[], limits: {upload_bytes: number, take_s: number, takes: number},
 *   takes: TakeInfo[], compare: string[]}} Session the answer of `/api/session`
 * @typedef {{key: string, name: string, folder: string, recording: ?string, take: ?string}} Source
 *   What was opened, with the last folders of its path where these are known: a recording, from which takes are generated, or a finished take.
 * @typedef {{emotion: string, intensity: number, levels: Levels, rigmap: string, head: string,
 *   [setting: string]: any}} Settings of a face, with a number for each of the session's settings
 * @typedef {{source: ?Source, settings: Settings, take: ?TakeInfo, progress: ?number,
 *   lanes: ?import('./curves.js').Curves, face: ?import('./curves.js').Curves}} Side
 *   One face: `take` is what it shows, `progress` (0..1) that of the take being made for it.
 * @typedef {'A' | 'B'} SideKey
 * @typedef {{start_s: number, end_s: number}} Range
 * @typedef {{tick: number, time_s: number, curves: number, subjects: Float32Array[]}} Frames
 * @typedef {{isOpen: boolean, subjects: {name: string}[], curves: string[], rate_hz?: number,
 *   frames: ?Frames, rate_fps: number, age_ms: number}} Live
 * @typedef {{side: ?string, names: string[], values: number[]}} Pose
 * @typedef {{name: string, lamp: string, state: 'good' | 'idle' | 'fault', advice: string,
 *   rate: number, failed: number}} LinkState
 * @typedef {{name: string, emotion: Record<string, number>, levels: Levels, is_muted: boolean,
 *   is_paused: boolean, rigmaps: string[], input: string, links: LinkState[],
 *   health: {state: string, advice: string, is_fault: boolean}, latency_ms: ?number[],
 *   buffer_ms: number, losses: Record<string, number>,
 *   passthrough: ?Passthrough, [setting: string]: any}} SubjectState
 *   a subject of the running bridge, with a value for each live setting
 * @typedef {{device: string, lamp: string, state: 'good' | 'idle' | 'fault', delay_ms: number,
 *   late_ms: number, gaps: number, jumps: number, fault: string}} Passthrough
 *   the sound that is played on an output device; the delay is the whole one
 * @typedef {{identifier: string, folder: string, begin: string, end: string,
 *   problem: string}} EndedTake
 * @typedef {{subjects: SubjectState[], recording: {is_recording: boolean, slate: string,
 *   take: number, lost: number, folder: string, ended: EndedTake[]}, time: string, rate: string,
 *   log: string, notices: {number: number, time_s: number, subject: string, text: string}[]}} Bridge
 * @typedef {{now_s: number, timecode: string, take_s: number, subjects: {level_db: number,
 *   peak_db: number, gate_open: boolean, clips: boolean, emotion: Record<string, number>}[]}} Meters
 * @typedef {{session: Session, mode: 'live' | 'takes', sources: Source[],
 *   uploads: {name: string, part: number}[], sides: {A: Side, B: ?Side}, active: SideKey,
 *   heads: HeadInfo[], missing: Record<string, string[]>, time_s: number, playing: boolean,
 *   rate: number, loop: ?Range, range: Range, orbit: {azimuth: number, elevation: number},
 *   closeup: ?number, filmstrip: ?('face' | 'mouth'),
 *   collapsed: Set<string>, unfolded: Set<string>, onlyMoving: boolean, filter: string,
 *   mix: import('./mixing.js').Mix, highlight: ?string, pointer_s: ?number,
 *   posed: ?Pose, live: ?Live, bridge: ?Bridge, meters: ?Meters, subject: ?string,
 *   wished: {subject: ?string, patch: Partial<SubjectState>}, problems: Problem[], theme?: string, layout?: object, scrolled?: object,
 *   figures?: object}} State
 */

import { noMix } from './mixing.js';

/** The sides of a comparison. Without one there is only A. */
export const SIDES = /** @type {const} */ (['A', 'B']);

/**
 * Return the state before anything is opened.
 * @param {Session} session what the server says of itself
 * @returns {State}
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
    closeup: null,
    filmstrip: null,
    collapsed: new Set(),
    unfolded: new Set(),
    onlyMoving: true,
    filter: '',
    mix: noMix(),
    highlight: null,
    pointer_s: null,
    posed: null,
    live: null,
    bridge: null,
    meters: null,
    wished: { subject: null, patch: {} },
    subject: null,
    problems: session.problems ?? [],
  };
}

/**
 * How much of each part of a living face there is where nothing else is said, by name.
 * @param {{levels: Record<string, LevelInfo>}} session
 * @returns {Levels}
 */
export function usualLevels({ levels }) {
  return Object.fromEntries(Object.entries(levels).map(([name, part]) => [name, part.usual]));
}

/**
 * The numbers of the table of settings by name, each its default.
 * @param {Pick<Session, 'settings'>} session
 * @returns {Record<string, number>}
 */
export const defaultNumbers = ({ settings }) =>
  Object.fromEntries(Object.entries(settings).map(([name, number]) => [name, number.default]));

/**
 * A number of the table of settings as the page shows it.
 * @param {number} value
 * @param {{unit: string}} info
 */
export const numberText = (value, { unit }) => (unit ? `${value} ${unit}` : value.toFixed(2));

/** @param {Session} session @returns {Side} */
export function emptySide(session) {
  const settings = {
    emotion: session.emotions[0],
    intensity: 1,
    ...defaultNumbers(session),
    levels: usualLevels(session),
    rigmap: (
      session.rigmaps.find(({ target }) => target === 'livelinkface61') ?? session.rigmaps[0]
    ).name,
    head: session.heads[0].id,
  };
  return { source: null, settings, take: null, progress: null, lanes: null, face: null };
}

/**
 * The sides that are shown, as [key, side].
 * @param {Pick<State, 'sides'>} state
 * @returns {[SideKey, Side][]}
 */
export function shownSides({ sides }) {
  return SIDES.flatMap((key) => {
    const side = sides[key];
    return side ? [/** @type {[SideKey, Side]} */ ([key, side])] : [];
  });
}

/** The length of what is shown, in seconds; 0 while nothing is. @param {State} state */
export function duration(state) {
  return Math.max(0, ...shownSides(state).map(([, side]) => side.take?.duration_s ?? 0));
}

/** Holds the state and draws it, at most once for each display frame. */
export class Store {
  /** @type {((state: State, before: ?State) => void)[]} */
  #drawers = [];
  /** @type {?State} */
  #drawn = null;
  #isDue = false;

  /** @param {State} state */
  constructor(state) {
    this.state = state;
  }

  /** Take over some fields of the state. @param {Partial<State>} patch */
  set(patch) {
    this.state = { ...this.state, ...patch };
    this.#schedule();
  }

  /**
   * Take over some fields of a side; a side that is gone stays gone.
   * @param {SideKey} key
   * @param {Partial<Side>} patch
   */
  setSide(key, patch) {
    if (!this.state.sides[key]) return;
    const side = { ...this.state.sides[key], ...patch };
    this.set({ sides: { ...this.state.sides, [key]: side } });
  }

  /** Show what went wrong, until it is dismissed. @param {Problem[]} problems */
  complain(...problems) {
    /** @type {(a: Problem, b: Problem) => boolean} */
    const same = (a, b) => a.where === b.where && a.what === b.what;
    const others = this.state.problems.filter((old) => !problems.some((p) => same(old, p)));
    this.set({ problems: [...others, ...problems].slice(-5) });
  }

  /**
   * Call `draw(state, before)` after each change; at first `before` is null.
   * @param {(state: State, before: ?State) => void} draw
   */
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
