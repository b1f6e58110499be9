/**
 * A row of small faces or mouths: successive frames around the playhead, or frames spread over the
 * loop. Stills are drawn while nothing plays, a few at a time, and kept as long as they are true;
 * while it plays, the frames around the playhead are those from which it began.
 */
import { buttonsIn, byId, clockText, make, press, write } from './elements.js';
import { mixed } from './mixing.js';
import { duration, shownSides } from './state.js';
import { mouthShot } from './views.js';

const WIDTHS_PX = { face: 74, mouth: 92 }; // of a cell at least
const HEIGHT_BY_WIDTH = { face: 1.2, mouth: 0.72 };
const COMPARED = 0.8; // of their height, where two rows are shown
const FEW = 5; // cells for which larger ones make way
const [FEWEST, MOST] = [3, 15];
const GAP_PX = 4;
const AT_ONCE_MS = 12; // time for stills before the views are drawn again, or as long as that takes
const REST_MS = 60; // nothing has changed for so long before stills are drawn
const MAX_KEPT = 200;

/** Return the times of the cells: frames around a time, or the middles of equal parts of a loop. */
export function cellTimes({ time_s, loop }, count, rate_hz, end_s) {
  const places = Array.from({ length: count }, (_, i) => i);
  const snap = (at_s) => Math.round(at_s * rate_hz) / rate_hz;
  if (loop) {
    const part_s = (loop.end_s - loop.start_s) / count;
    return places.map((i) => snap(loop.start_s + (i + 0.5) * part_s));
  }
  const first = Math.round(time_s * rate_hz) - (count - 1) / 2;
  return places
    .map((i) => (first + i) / rate_hz)
    .filter((at_s) => at_s > -1e-6 && at_s < end_s - 1e-6);
}

/** What stills of a side depend on, apart from their time. */
const lookOf = ({ take, face, settings }, state, size) => [
  take,
  face,
  settings.head,
  state.mix,
  state.figures,
  state.filmstrip,
  state.filmstrip === 'mouth' ? (state.closeup ?? 0) : state.orbit,
  size,
];

const mainRate = ({ sides, active }) => sides[active]?.take?.rate_hz ?? 50;

const isSame = (a, b) => a.every((value, i) => value === b[i]);

/** One row: the frames of one side. */
class Row {
  /** @type {Map<number, HTMLCanvasElement>} stills by frame number */
  #stills = new Map();
  #look = [];
  /** @type {{element: HTMLElement, still: HTMLElement, text: HTMLElement, frame: number}[]} */
  #cells = [];

  constructor(key, seek) {
    this.key = key;
    this.seek = seek;
    this.badge = make('span.badge', { textContent: key });
    this.cells = make('div.film-row');
    this.element = make('div', {}, this.badge, this.cells);
  }

  /** Show what there is of these times; return the frames that lack a still. */
  show(times_s, now_s, rate_hz, look) {
    if (!isSame(look, this.#look)) this.#stills.clear();
    this.#look = look;
    const apart_s = times_s.length > 1 ? times_s[1] - times_s[0] : 0;
    const near_s = Math.max(apart_s, 1 / rate_hz) / 2 - 1e-6;
    while (this.#cells.length < times_s.length) this.#cells.push(this.#cell());
    this.#cells.length = times_s.length;
    const elements = this.#cells.map(({ element }) => element);
    if (elements.length !== this.cells.childElementCount) this.cells.replaceChildren(...elements);
    this.#cells.forEach((cell, i) => {
      this.#fill(cell, times_s[i], rate_hz);
      cell.element.classList.toggle('is-now', Math.abs(times_s[i] - now_s) <= near_s);
    });
    return [...new Set(this.#cells.map(({ frame }) => frame))].filter(
      (frame) => !this.#stills.has(frame),
    );
  }

  /** Keep a still; the oldest go. */
  keep(frame, still) {
    this.#stills.set(frame, still);
    for (const oldest of this.#stills.keys()) {
      if (this.#stills.size <= MAX_KEPT) break;
      this.#stills.delete(oldest);
    }
    for (const cell of this.#cells)
      if (cell.frame === frame && !cell.still.contains(still)) cell.still.replaceChildren(still);
  }

  #cell() {
    const [still, text] = [make('span.still'), make('span')];
    const element = make('button.cell', { type: 'button', tabIndex: -1 }, still, text);
    const cell = { element, still, text, frame: -1 };
    element.onclick = () => this.seek(Number(element.dataset.time));
    return cell;
  }

  #fill(cell, at_s, rate_hz) {
    const { element, still, text } = cell;
    cell.frame = Math.round(at_s * rate_hz);
    element.dataset.time = String(at_s);
    element.setAttribute('aria-label', `Go to ${clockText(at_s)}`);
    write(text, clockText(at_s));
    const known = this.#stills.get(cell.frame);
    if (known && still.firstChild !== known) still.replaceChildren(known);
    else if (!known) still.replaceChildren();
  }
}

/** The strip under the faces. */
export class Filmstrip {
  /** @type {Row[]} */
  #rows = [];
  /** @type {{row: Row, frame: number, rate_hz: number}[]} */
  #lacking = [];
  #isDue = false;
  #changed_ms = 0;
  #redraw_ms = 0;
  /** @type {number[]} */
  #times_s = [];
  #size = { width: 0, height: 0, key: '' };

  /**
   * @param {import('./state.js').Store} store
   * @param {import('./stage.js').Stage} stage
   * @param {import('./views.js').Views} views
   * @param {import('./player.js').Player} player
   */
  constructor(store, stage, views, player) {
    this.store = store;
    this.stage = stage;
    this.views = views;
    this.player = player;
    this.element = byId('frames');
    this.film = make('div.film');
    const button = (kind, textContent) =>
      make('button', {
        type: 'button',
        textContent,
        data: { kind },
        onclick: () => store.set({ filmstrip: kind }),
      });
    const kinds = make('div.segments', {}, button('face', 'Face'), button('mouth', 'Mouth'));
    this.element.append(kinds, this.film);
    byId('filmstrip').onclick = () =>
      store.set({ filmstrip: store.state.filmstrip ? null : 'face' });
    new ResizeObserver(() => store.set({ scrolled: {} })).observe(this.film);
    store.drawWith((state) => this.#draw(state));
  }

  #draw(state) {
    const kind = state.mode === 'takes' ? state.filmstrip : null;
    press(byId('filmstrip'), kind !== null);
    this.element.hidden = kind === null;
    this.#lacking = [];
    const end_s = duration(state);
    if (!kind || !end_s) return;
    for (const button of buttonsIn('frames'))
      if (button.dataset.kind) press(button, button.dataset.kind === kind);
    this.#place(state);
    this.#time(state, this.#measure(kind, this.#rows.length), end_s);
    for (const row of this.#rows) {
      const side = state.sides[row.key];
      const rate_hz = side.take?.rate_hz ?? mainRate(state);
      const look = lookOf(side, state, this.#size.key);
      const frames = row.show(this.#times_s, state.time_s, rate_hz, look);
      if (side.face) this.#lacking.push(...frames.map((frame) => ({ row, frame, rate_hz })));
    }
    const away = ({ frame, rate_hz }) => Math.abs(frame / rate_hz - state.time_s);
    this.#lacking.sort((a, b) => away(a) - away(b));
    if (!state.playing) this.#schedule();
  }

  /** Have a row for each side. */
  #place(state) {
    const keys = shownSides(state).map(([key]) => key);
    if (keys.join() === this.#rows.map(({ key }) => key).join()) return;
    const seek = (at_s) => {
      this.player.pause();
      this.player.seek(at_s);
    };
    this.#rows = keys.map((key) => new Row(key, seek));
    for (const row of this.#rows) row.badge.hidden = keys.length < 2;
    this.film.replaceChildren(...this.#rows.map(({ element }) => element));
  }

  /** Choose the times of the cells. */
  #time(state, count, end_s) {
    if (state.playing && !state.loop && this.#times_s.length) return;
    const times_s = cellTimes(state, count, mainRate(state), end_s);
    if (times_s.length === this.#times_s.length && isSame(times_s, this.#times_s)) return;
    this.#times_s = times_s;
    this.#changed_ms = performance.now();
  }

  /** Take the size of the cells; return how many there are. */
  #measure(kind, rows) {
    const width = this.film.clientWidth;
    const least_px = Math.min(WIDTHS_PX[kind], width / FEW - GAP_PX);
    const fitting = Math.floor(width / (least_px + GAP_PX));
    const count = Math.min(Math.max(fitting - ((fitting + 1) % 2), FEWEST), MOST);
    const cell = Math.max(Math.floor(width / count) - GAP_PX, 16);
    const share = rows > 1 ? COMPARED : 1;
    const height = Math.round(Math.min(WIDTHS_PX[kind], cell) * HEIGHT_BY_WIDTH[kind] * share);
    this.#size = { width: cell, height, key: `${cell} ${height}` };
    this.film.style.setProperty('--still', `${height}px`);
    return count;
  }

  #schedule() {
    if (this.#isDue || !this.#lacking.length) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      if (this.store.state.playing) return;
      if (performance.now() - this.#changed_ms > REST_MS) this.#work();
      else this.#schedule();
    });
  }

  /** Draw some of the stills that lack; the picture of the views is drawn again after them. */
  #work() {
    const { state } = this.store;
    const end_ms = performance.now() + Math.max(AT_ONCE_MS, this.#redraw_ms);
    /** @type {import('./stage.js').Shot} */
    const face = { part: 'face', orbit: state.orbit };
    const shot = state.filmstrip === 'mouth' ? mouthShot(state.closeup ?? 0) : face;
    let hasDrawn = false;
    while (this.#lacking.length && (!hasDrawn || performance.now() < end_ms)) {
      const [{ row, frame, rate_hz }] = this.#lacking.splice(0, 1);
      const curves = state.sides[row.key]?.face;
      const figure = this.views.figure(row.key);
      if (!curves || !figure) continue;
      figure.pose(curves.names, mixed(curves.names, curves.at(frame / rate_hz), state.mix));
      row.keep(frame, this.stage.still(figure, shot, this.#size));
      hasDrawn = true;
    }
    const begin_ms = performance.now();
    if (hasDrawn) this.views.redraw();
    this.#redraw_ms = performance.now() - begin_ms;
    this.#schedule();
  }
}
