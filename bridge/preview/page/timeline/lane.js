/** One lane: the curves of a region over each other; unfolded, each also in a row of its own. */
import { make, press, write } from '../elements.js';
import { shownSides } from '../state.js';
import { cleared, colour } from './canvas.js';
import { drawLane, laneSpan, spanText } from './lines.js';

const DASHES = { A: [], B: [5, 4] };
const PAD_PX = 5;
const TEXT_PX = 10;

/** Return the buttons that solo and mute some curves, and what shows their state. */
function mixButtons(what, names, actions) {
  /** @returns {HTMLButtonElement} */
  const button = (letter, deed, label) =>
    /** @type {any} */ (
      make('button.mix', {
        type: 'button',
        textContent: letter,
        title: `${label} ${what} (${letter})`,
        data: { mix: deed },
        aria: { label: `${label} ${what}`, pressed: false },
        onclick: () => actions[deed](names),
      })
    );
  const buttons = [button('S', 'solo', 'Solo'), button('M', 'mute', 'Mute')];
  const show = ({ soloed, muted }, isAble) => {
    [soloed, muted].forEach((set, i) => {
      const count = names.filter((name) => set.has(name)).length;
      const isAll = count === names.length;
      buttons[i].setAttribute('aria-pressed', count && !isAll ? 'mixed' : String(isAll));
      buttons[i].disabled = !isAble;
    });
  };
  return { buttons, show };
}

/** Draw the grid and the range of a lane or row, then its lines. */
function drawTrack(canvas, layers, range, look) {
  const { context, width, height } = cleared(canvas);
  const [low, high] = laneSpan(layers);
  const y = (value) => height - PAD_PX - ((value - low) / (high - low)) * (height - 2 * PAD_PX);
  const place = {
    range,
    width,
    x: (time_s) => ((time_s - range.start_s) / (range.end_s - range.start_s)) * width,
    y,
  };
  context.fillStyle = colour('--grid');
  for (const value of [low, 0, high]) context.fillRect(0, Math.round(y(value)), width, 1);
  drawLane(context, layers, { ...look, place });
  context.font = `${TEXT_PX}px ${getComputedStyle(canvas).fontFamily}`;
  context.textBaseline = 'middle';
  context.lineWidth = 3;
  context.strokeStyle = colour('--ground');
  context.fillStyle = colour('--soft-ink');
  for (const [value, at] of [
    [high, PAD_PX + TEXT_PX / 2 + 1],
    [low, height - PAD_PX - TEXT_PX / 2],
  ]) {
    context.strokeText(spanText(value, high - low), 4, at);
    context.fillText(spanText(value, high - low), 4, at);
  }
}

/** The row of one curve, in the legend of its lane or with a track of its own. */
class CurveRow {
  constructor(name, of, prefix, actions, hasTrack) {
    this.name = name;
    const dot = make('span.dot', { aria: { hidden: true } });
    dot.style.backgroundColor = of;
    this.output = make('span.value');
    const label = make('span.name', { textContent: name.slice(prefix.length) });
    this.element = make('li', {
      title: name,
      data: { curve: name },
      onpointerenter: () => actions.highlight(name),
      onpointerleave: () => actions.highlight(null),
    });
    this.canvas = hasTrack ? make('canvas.track', { aria: { hidden: true } }) : null;
    this.mix = hasTrack ? mixButtons(name, [name], actions) : null;
    if (this.canvas && this.mix)
      this.element.append(
        make('div.label', {}, dot, label, this.output, ...this.mix.buttons),
        this.canvas,
      );
    else this.element.append(dot, label, this.output);
  }

  show(state, isResting, isAble) {
    this.element.classList.toggle('is-lit', state.highlight === this.name);
    this.element.classList.toggle('is-resting', isResting);
    this.mix?.show(state.mix, isAble);
  }
}

/** One lane: its element, and what draws it. */
export class Lane {
  /**
   * @param {{region: string, curves: {name: string, colour: string, reach: number}[]}} content
   * @param {string} prefix that no name needs
   * @param {Record<string, (what: any) => void>} actions collapse and unfold a region, highlight,
   *   solo and mute curves
   */
  constructor({ region, curves }, prefix, actions) {
    this.region = region;
    this.names = curves.map(({ name }) => name);
    this.colours = new Map(curves.map(({ name, colour: of }) => [name, of]));
    const rows = (list, hasTrack) =>
      list.map(({ name, colour: of }) => new CurveRow(name, of, prefix, actions, hasTrack));
    this.legend = rows(
      [...curves].sort((a, b) => b.reach - a.reach),
      false,
    );
    this.rows = rows(curves, true);
    this.toggle = make(
      'button.region',
      { type: 'button', onclick: () => actions.collapse(region) },
      make('span.arrow', { aria: { hidden: true } }),
      region,
    );
    this.unfold = make('button.unfold', {
      type: 'button',
      title: 'A lane for each curve',
      onclick: () => actions.unfold(region),
    });
    this.mix = mixButtons(`all curves of ${region}`, this.names, actions);
    this.canvas = make('canvas.track', { aria: { hidden: true } });
    this.element = this.#element();
  }

  #element() {
    const list = (kind, rows) => make(`ul.${kind}`, {}, ...rows.map(({ element }) => element));
    const head = make('div.lane-head', {}, this.toggle, this.unfold, ...this.mix.buttons);
    const label = make('div.label', {}, head, list('legend', this.legend));
    return make(
      'div.lane',
      { data: { region: this.region } },
      make('div.row.overlay', {}, label, this.canvas),
      list('curves', this.rows),
    );
  }

  /**
   * Draw what is in sight.
   * @param {import('../state.js').State} state
   * @param {import('../state.js').Range} range
   * @param {{rests: Set<string>, able: Set<string>, isInSight: (element: Element) => boolean}} faces
   *   the curves that rest on the faces, and those which the faces have
   */
  draw(state, range, { rests, able, isInSight }) {
    const isOpen = !state.collapsed.has(this.region);
    const isUnfolded = isOpen && state.unfolded.has(this.region);
    this.toggle.setAttribute('aria-expanded', String(isOpen));
    this.element.classList.toggle('is-collapsed', !isOpen);
    this.element.classList.toggle('is-unfolded', isUnfolded);
    press(this.unfold, isUnfolded);
    const count = this.names.length;
    write(this.unfold, count === 1 ? '1 curve' : `${count} curves`);
    this.mix.show(
      state.mix,
      this.names.some((name) => able.has(name)),
    );
    for (const row of [...this.legend, ...this.rows])
      row.show(state, rests.has(row.name), able.has(row.name));
    if (!isOpen) return;
    const look = { names: this.colours, highlight: state.highlight, rests };
    if (isInSight(this.canvas))
      drawTrack(this.canvas, this.#layers(state, this.names), range, look);
    if (!isUnfolded) return;
    for (const { name, canvas } of this.rows)
      if (canvas && isInSight(canvas))
        drawTrack(canvas, this.#layers(state, [name]), range, { ...look, highlight: null });
  }

  /** Show values: for each curve its text. @param {(name: string) => string} textOf */
  tell(textOf, state) {
    if (state.collapsed.has(this.region)) return;
    const rows = state.unfolded.has(this.region) ? this.rows : this.legend;
    for (const { name, output } of rows) write(output, textOf(name));
  }

  /** Return the curves of these names, of each side that is shown. */
  #layers(state, names) {
    return shownSides(state).flatMap(([key, { lanes }]) => {
      if (!lanes) return [];
      const isHere = (name, i) => names.includes(name) && lanes.infos[i].region === this.region;
      const indices = lanes.names.flatMap((name, i) => (isHere(name, i) ? [i] : []));
      return [{ curves: lanes, dash: DASHES[key], indices }];
    });
  }
}
