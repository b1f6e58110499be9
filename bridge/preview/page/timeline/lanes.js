/** The curves by region: one lane each, with the names and values of its curves. */
import { make, write } from '../elements.js';
import { shownSides } from '../state.js';
import { cleared, colour } from './canvas.js';
import { drawLane, laneSpan, lineColours } from './lines.js';

const ORDER = [
  'jaw',
  'mouth',
  'tongue',
  'teeth',
  'cheek',
  'nose',
  'eyelid',
  'gaze',
  'brow',
  'emotion',
  'head',
];
const DASHES = { A: [], B: [5, 4] };

const rank = (region) => (ORDER.includes(region) ? ORDER.indexOf(region) : ORDER.length);

/** Return what all names begin with, up to the last underscore: it is not worth showing. */
function sharedPrefix(names) {
  const [first = '', ...others] = names;
  const end = first.lastIndexOf('_') + 1;
  return others.length && others.every((name) => name.startsWith(first.slice(0, end)))
    ? first.slice(0, end)
    : '';
}

/** Return the curves under the faces that are shown. @param {import('../state.js').State} state */
const shownLanes = (state) => shownSides(state).flatMap(([, { lanes }]) => lanes ?? []);

/** Return the regions to show: {region, curves: [{name, colour}]}, of all sides' rig maps. */
function regionsOf(state, isDark) {
  /** @type {Map<string, import('../state.js').CurveInfo[]>} */
  const regions = new Map();
  for (const curves of shownLanes(state)) {
    const moving = curves.infos.filter((_, i) => !state.onlyMoving || curves.moves(i));
    for (const info of moving) {
      const list = regions.get(info.region) ?? [];
      if (!list.some(({ name }) => name === info.name)) list.push(info);
      regions.set(info.region, list);
    }
  }
  const sorted = [...regions].sort(([a], [b]) => rank(a) - rank(b));
  return sorted.map(([region, infos]) => {
    const colours = lineColours(infos, isDark);
    return { region, curves: infos.map(({ name }, i) => ({ name, colour: colours[i] })) };
  });
}

/** One lane: its element, and what draws it. */
class Lane {
  constructor({ region, curves }, prefix, actions) {
    this.region = region;
    this.colours = new Map(curves.map(({ name, colour: of }) => [name, of]));
    this.values = new Map();
    const rows = curves.map(({ name, colour: of }) => this.#row(name, of, prefix, actions));
    this.list = make('ul.curves', {}, ...rows);
    this.toggle = make(
      'button.region',
      { type: 'button', onclick: () => actions.collapse(region) },
      make('span.arrow', { aria: { hidden: true } }),
      region,
      make('span.count', { textContent: String(curves.length) }),
    );
    this.canvas = make('canvas', { className: 'track', aria: { hidden: true } });
    this.element = make(
      'div.row.lane',
      { data: { region } },
      make('div.label', {}, this.toggle, this.list),
      this.canvas,
    );
  }

  draw(state, range) {
    const isOpen = !state.collapsed.has(this.region);
    this.toggle.setAttribute('aria-expanded', String(isOpen));
    this.element.classList.toggle('is-collapsed', !isOpen);
    for (const [name, { row }] of this.values)
      row.classList.toggle('is-lit', state.highlight === name);
    if (!isOpen) return;
    const layers = shownSides(state).flatMap(([key, { lanes }]) =>
      lanes ? [{ curves: lanes, dash: DASHES[key], indices: this.#indices(lanes) }] : [],
    );
    const { context, width, height } = cleared(this.canvas);
    const [low, high] = laneSpan(layers);
    const PAD = 5;
    const place = {
      range,
      width,
      x: (time_s) => ((time_s - range.start_s) / (range.end_s - range.start_s)) * width,
      y: (value) => height - PAD - ((value - low) / (high - low)) * (height - 2 * PAD),
    };
    this.#grid(context, place, low < 0 ? [low, 0, high] : [0, 0.5, 1]);
    drawLane(context, layers, { names: this.colours, highlight: state.highlight, place });
  }

  /** Show values: for each curve its text. @param {(name: string) => string} textOf */
  tell(textOf) {
    for (const [name, { output }] of this.values) write(output, textOf(name));
  }

  /** Return the places of this lane's curves. @param {import('../curves.js').Curves} curves */
  #indices({ names, infos }) {
    return names.flatMap((name, i) =>
      this.colours.has(name) && infos[i].region === this.region ? [i] : [],
    );
  }

  #row(name, of, prefix, actions) {
    const dot = make('span.dot', { aria: { hidden: true } });
    dot.style.backgroundColor = of;
    const output = make('span.value');
    const row = make(
      'li',
      {
        title: name,
        onpointerenter: () => actions.highlight(name),
        onpointerleave: () => actions.highlight(null),
      },
      dot,
      make('span.name', { textContent: name.slice(prefix.length) }),
      output,
    );
    this.values.set(name, { row, output });
    return row;
  }

  #grid(context, { width, y }, values) {
    context.fillStyle = colour('--grid');
    for (const value of values) context.fillRect(0, Math.round(y(value)), width, 1);
  }
}

/** All lanes of what is shown. */
export class Lanes {
  #key = '';
  #lanes = [];
  #told_ms = 0;

  /** @param {HTMLElement} element @param {{collapse: Function, highlight: Function}} actions */
  constructor(element, actions) {
    this.element = element;
    this.actions = actions;
  }

  /** Draw the lines in a range. */
  draw(state, range, isDark) {
    const regions = regionsOf(state, isDark);
    const key = JSON.stringify(regions);
    if (key !== this.#key) {
      this.#key = key;
      const prefix = sharedPrefix(regions.flatMap(({ curves }) => curves.map(({ name }) => name)));
      this.#lanes = regions.map((region) => new Lane(region, prefix, this.actions));
      this.element.replaceChildren(...this.#lanes.map(({ element }) => element));
    }
    for (const lane of this.#lanes) lane.draw(state, range);
  }

  /** Show the curves' values at a time; ten times a second while it runs is as fast as one reads. */
  tell(state, time_s) {
    const now_ms = performance.now();
    if (state.playing && now_ms - this.#told_ms < 100) return;
    this.#told_ms = now_ms;
    const read = shownLanes(state).map((lanes) => ({
      values: lanes.at(time_s),
      places: new Map(lanes.names.map((name, i) => [name, i])),
    }));
    const number = (values, i) => (i === undefined ? '–' : values[i].toFixed(2));
    for (const lane of this.#lanes) {
      if (!state.collapsed.has(lane.region)) {
        lane.tell((name) =>
          read.map(({ values, places }) => number(values, places.get(name))).join('  '),
        );
      }
    }
  }
}
