/** The views of the faces: where each stands, what it says, and when the picture is drawn anew. */
import { Refusal } from './api.js';
import { byId, make, write } from './elements.js';
import { isSilent } from './live.js';
import { missingShapes } from './moving.js';
import { followOrbit } from './orbit.js';
import { numberText, shownSides } from './state.js';
import { isAlive } from './levels.js';

const MAX_VIEWS = 16;
const SHAPES_ANEW = ['sides', 'live', 'mode', 'time_s', 'posed', 'orbit', 'layout', 'figures'];

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

function takeFaces({ session, sides, posed, time_s, active }) {
  const isPair = Boolean(sides.B);
  return shownSides({ sides }).map(([key, side]) => ({
    key,
    name: isPair ? (side.source?.name ?? '') : '',
    badge: isPair ? key : '',
    isActive: isPair && key === active,
    head: side.settings.head,
    names: side.face?.names ?? [],
    values: side.face?.at(time_s) ?? [],
    pose: posed && (posed.side === null || posed.side === key) ? posed : null,
    progress: side.progress,
    note: isPair && side.source?.recording ? madeText(side, session) : '',
  }));
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

/** One view: its element and the figure in it. */
class View {
  constructor(key) {
    this.key = key;
    this.figure = null;
    this.head = null;
    this.badge = make('span.badge');
    this.name = make('span.name');
    this.note = make('span.note');
    this.bar = make('progress', { max: 1 });
    this.element = make(
      'div.view',
      { data: { key } },
      make('div.caption', {}, this.badge, this.name, this.note),
      this.bar,
    );
  }

  say({ name, badge, note, progress, isFaint, isActive }) {
    write(this.name, name);
    write(this.badge, badge);
    write(this.note, note);
    this.badge.hidden = !badge;
    this.bar.hidden = progress === null;
    if (progress !== null) {
      this.bar.value = progress;
      this.bar.setAttribute('aria-label', 'Generating the take');
    }
    this.element.classList.toggle('is-faint', Boolean(isFaint));
    this.element.classList.toggle('is-active', Boolean(isActive));
  }
}

/** All views. */
export class Views {
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
    new ResizeObserver(() => store.set({ layout: {} })).observe(this.room);
    store.drawWith((state, before) => this.#draw(state, before));
  }

  /** Whether every face that is to be seen has its head. */
  get areReady() {
    return this.#views.length > 0 && this.#views.every(({ figure }) => figure);
  }

  /** The pixels of the view of a side or of a live subject, as ImageData. */
  pixels(index) {
    const { state } = this.store;
    this.#draw(state, null);
    return this.stage.pixels(this.#views[index], this.#drawable(), state.orbit);
  }

  #draw(state, before) {
    if (before && SHAPES_ANEW.every((name) => state[name] === before[name])) return;
    const shown = faces(state);
    this.#place(shown);
    shown.forEach((face, i) => {
      const view = this.#views[i];
      view.say(face);
      this.#fetchHead(view, face.head, state);
      if (face.pose) view.figure?.pose(face.pose.names, face.pose.values);
      else view.figure?.pose(face.names, face.values);
    });
    this.stage.draw(this.#drawable(), state.orbit);
  }

  #drawable() {
    return this.#views.filter(({ figure }) => figure);
  }

  #place(shown) {
    const { width, height } = this.room.getBoundingClientRect();
    const columns = columnsFor(shown.length, width, height);
    this.room.style.gridTemplateColumns = `repeat(${columns || 1}, minmax(0, 1fr))`;
    const isSame =
      shown.length === this.#views.length &&
      shown.every(({ key }, i) => key === this.#views[i].key);
    if (isSame) return;
    this.#views = shown.map(
      ({ key }) => this.#views.find((view) => view.key === key) ?? new View(key),
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
