/** The views of the faces: where each stands, what it says, and when the picture is drawn anew. */
import { Refusal } from './api.js';
import { byId, make, press, write } from './elements.js';
import { isSilent } from './live.js';
import { mixCounts, mixed } from './mixing.js';
import { missingShapes } from './moving.js';
import { followOrbit } from './orbit.js';
import { nameOf } from './sourcenames.js';
import { numberText, shownSides } from './state.js';
import { isAlive } from './levels.js';

const MAX_VIEWS = 16;

/** From where a close-up shows the mouth: the front, and the character's left. */
export const CLOSEUP_ANGLES_DEG = [0, 45, 90];

const SHAPES_ANEW = [
  'sides',
  'live',
  'mode',
  'time_s',
  'posed',
  'orbit',
  'layout',
  'figures',
  'mix',
  'closeup',
];

/** The angle of the close-up that is shown in degrees, or null. @returns {?number} */
const closeupOf = ({ mode, closeup }) => (mode === 'live' ? null : closeup);

/** Return how many columns of a room so wide and high make the largest views. */
function columnsFor(count, width, height) {
  const side = (columns) => Math.min(width / columns, height / Math.ceil(count / columns));
  const all = Array.from({ length: count }, (_, k) => k + 1);
  return all.reduce((best, columns) => (side(columns) > side(best) + 1 ? columns : best), 1);
}

/** Return what is to be seen: {key, name, badge, head, names, values, note, isFaint}. */
function faces(state) {
  return state.mode === 'live' ? liveFaces(state) : takeFaces(state);
}

function takeFaces({ session, sides, sources, posed, time_s, active, mix }) {
  const isPair = Boolean(sides.B);
  return shownSides({ sides }).map(([key, side]) => ({
    key,
    name: isPair ? nameOf(side.source, sources) : '',
    badge: isPair ? key : '',
    isActive: isPair && key === active,
    head: side.settings.head,
    names: side.face?.names ?? [],
    values: side.face ? mixed(side.face.names, side.face.at(time_s), mix) : [],
    pose: posed && (posed.side === null || posed.side === key) ? posed : null,
    progress: side.progress,
    note: isPair && side.source?.recording ? madeText(side, session) : '',
    rests: restText(side.face, mix),
  }));
}

/** How many curves solo and mute keep at rest, or nothing. */
function restText(face, mix) {
  const { resting, all } = mixCounts([face], mix);
  return resting ? `${resting} of ${all} curves at rest` : '';
}

/** How a take was made, in one line. */
function madeText(side, session) {
  return side.take?.is_recorded ? 'recorded live' : settingsText(side.settings, session);
}

/** The settings of a take in one line: all with a unit, of the others those that are changed. */
function settingsText({ emotion, intensity, levels, ...settings }, session) {
  const numbers = Object.entries(session.settings)
    .filter(([name, number]) => number.unit || settings[name] !== number.default)
    .map(([name, number]) => {
      const text = numberText(settings[name], number);
      return number.unit ? text : `${number.label.toLowerCase()} ${text}`;
    });
  const life = isAlive(levels, session) ? [] : ['generated face only'];
  return [`${emotion} ${intensity.toFixed(2)}`, ...numbers, ...life].join(' · ');
}

function liveFaces({ live, sides, posed }) {
  const silent = isSilent(live);
  return (live?.subjects ?? []).slice(0, MAX_VIEWS).map(({ name }, k) => ({
    key: `live ${k}`,
    name,
    badge: '',
    head: sides.A.settings.head,
    names: live.curves,
    values: live.frames?.subjects[k] ?? [],
    pose: posed && posed.side === null ? posed : null,
    progress: null,
    isFaint: silent,
    note: silent ? 'no signal' : `${Math.round(live.rate_fps)} fps · ${Math.round(live.age_ms)} ms`,
  }));
}

/** The camera of a close-up. @returns {import('./stage.js').Shot} */
export const mouthShot = (angle_deg) => ({
  part: 'mouth',
  orbit: { azimuth: (angle_deg * Math.PI) / 180, elevation: 0 },
});

/** One view: its element and the figure in it. */
class View {
  constructor(key, chooseAngle) {
    this.key = key;
    this.figure = null;
    this.head = null;
    this.badge = make('span.badge');
    this.name = make('span.name');
    this.rests = make('span.rests', { title: 'Solo and mute: R lets all curves move again' });
    this.note = make('span.note');
    this.bar = make('progress', { max: 1 });
    const button = (angle) =>
      make('button', {
        type: 'button',
        textContent: `${angle}°`,
        data: { angle },
        aria: { label: `Mouth from ${angle}°` },
        onclick: () => chooseAngle(angle),
      });
    this.angles = make('div.segments.angles', {}, ...CLOSEUP_ANGLES_DEG.map(button));
    this.angles.setAttribute('role', 'group');
    this.face = make('div.shot', { data: { shot: 'face' } });
    this.mouth = make('div.shot', { data: { shot: 'mouth' } });
    this.caption = make(
      'div.caption',
      {},
      this.badge,
      this.name,
      this.rests,
      this.note,
      this.angles,
    );
    this.element = make(
      'div.view',
      { data: { key } },
      this.caption,
      make('div.shots', {}, this.face, this.mouth),
      this.bar,
    );
  }

  say({ name, badge, note, rests = '', progress, isFaint, isActive }, closeup) {
    write(this.name, name);
    write(this.badge, badge);
    write(this.rests, rests);
    write(this.note, note);
    this.badge.hidden = !badge;
    this.bar.hidden = progress === null;
    this.angles.hidden = this.mouth.hidden = closeup === null;
    for (const button of this.angles.querySelectorAll('button'))
      press(button, Number(button.dataset.angle) === closeup);
    this.caption.hidden = !name && !badge && !note && closeup === null;
    if (progress !== null) {
      this.bar.value = progress;
      this.bar.setAttribute('aria-label', 'Generating the take');
    }
    this.element.classList.toggle('is-faint', Boolean(isFaint));
    this.element.classList.toggle('is-active', Boolean(isActive));
  }

  /**
   * The windows of the picture that show the figure.
   * @returns {{element: HTMLElement, figure: any, shot: import('./stage.js').Shot}[]}
   */
  windows(orbit, closeup) {
    const { figure } = this;
    /** @type {import('./stage.js').Shot} */
    const front = { part: 'face', orbit };
    const face = { element: this.face, figure, shot: front };
    if (closeup === null) return [face];
    return [face, { element: this.mouth, figure, shot: mouthShot(closeup) }];
  }
}

/** All views. */
export class Views {
  /** @type {View[]} */
  #views = [];

  /**
   * @param {import('./state.js').Store} store
   * @param {import('./stage.js').Stage} stage
   * @param {import('./headlibrary.js').HeadLibrary} library
   */
  constructor(store, stage, library) {
    this.store = store;
    this.stage = stage;
    this.library = library;
    this.room = byId('views');
    followOrbit(this.room, store);
    byId('closeup').onclick = () =>
      store.set({ closeup: store.state.closeup === null ? CLOSEUP_ANGLES_DEG[0] : null });
    new ResizeObserver(() => store.set({ layout: {} })).observe(this.room);
    store.drawWith((state, before) => this.#draw(state, before));
  }

  /** Whether every face that is to be seen has its head. */
  get areReady() {
    return this.#views.length > 0 && this.#views.every(({ figure }) => figure);
  }

  /** The figure of a side, or of a live subject; null while its head is on the way. */
  figure(key) {
    return this.#views.find((view) => view.key === key)?.figure ?? null;
  }

  /** Draw all views now, whatever they showed. */
  redraw() {
    this.#draw(this.store.state, null);
  }

  /** The pixels of the face, or of the mouth, of a side or of a live subject, as ImageData. */
  pixels(index, part = 'face') {
    this.redraw();
    const windows = this.#windows();
    const figure = this.#views[index]?.figure;
    const window = windows.find(({ shot, ...of }) => of.figure === figure && shot.part === part);
    return this.stage.pixels(window, windows);
  }

  #draw(state, before) {
    if (before && SHAPES_ANEW.every((name) => state[name] === before[name])) return;
    const shown = faces(state);
    this.#place(shown);
    const closeup = closeupOf(state);
    press(byId('closeup'), closeup !== null);
    shown.forEach((face, i) => {
      const view = this.#views[i];
      view.say(face, closeup);
      this.#fetchHead(view, face.head, state);
      if (face.pose) view.figure?.pose(face.pose.names, face.pose.values);
      else view.figure?.pose(face.names, face.values);
    });
    this.stage.draw(this.#windows());
  }

  #windows() {
    const { state } = this.store;
    const closeup = closeupOf(state);
    return this.#views.flatMap((view) => (view.figure ? view.windows(state.orbit, closeup) : []));
  }

  #place(shown) {
    const { width, height } = this.room.getBoundingClientRect();
    const columns = columnsFor(shown.length, width, height);
    this.room.style.gridTemplateColumns = `repeat(${columns || 1}, minmax(0, 1fr))`;
    const isSame =
      shown.length === this.#views.length &&
      shown.every(({ key }, i) => key === this.#views[i].key);
    if (isSame) return;
    const choose = (closeup) => this.store.set({ closeup });
    this.#views = shown.map(
      ({ key }) => this.#views.find((view) => view.key === key) ?? new View(key, choose),
    );
    this.room.replaceChildren(...this.#views.map(({ element }) => element));
  }

  async #fetchHead(view, id, { heads }) {
    if (view.head === id) return;
    view.head = id;
    try {
      const figure = (await this.library.figure(heads.find((head) => head.id === id))).twin();
      if (view.head !== id) return;
      view.figure = figure;
      const { session, missing } = this.store.state;
      this.store.set({
        figures: {},
        missing: { ...missing, [id]: missingShapes(session, figure) },
      });
    } catch (error) {
      this.store.complain(...Refusal.problemsOf(error));
    }
  }
}
