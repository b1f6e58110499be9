/** The curves by region: one lane each, with the names and values of its curves. */
import { make } from '../elements.js';
import { resting } from '../mixing.js';
import { shownSides } from '../state.js';
import { Lane } from './lane.js';
import { lineColours } from './lines.js';

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

/** Return the regions to show: {region, curves: [{name, colour, reach}]}, of all sides' rig maps. */
function regionsOf(state, isDark) {
  /** @type {Map<string, Map<string, import('../state.js').CurveInfo & {reach: number}>>} */
  const regions = new Map();
  const wanted = state.filter.trim().toLowerCase();
  for (const curves of shownLanes(state)) {
    curves.infos.forEach((info, i) => {
      if (state.onlyMoving && !curves.moves(i)) return;
      if (!`${info.region} ${info.name}`.toLowerCase().includes(wanted)) return;
      const list = regions.get(info.region) ?? new Map();
      const [low, high] = curves.span(i);
      const reach = Math.max(high - low, list.get(info.name)?.reach ?? 0);
      regions.set(info.region, list.set(info.name, { ...info, reach }));
    });
  }
  const sorted = [...regions].sort(([a], [b]) => rank(a) - rank(b));
  return sorted.map(([region, list]) => {
    const infos = [...list.values()];
    const colours = lineColours(infos, isDark);
    const curves = infos.map(({ name, reach }, i) => ({ name, reach, colour: colours[i] }));
    return { region, curves };
  });
}

/** Return which curves rest on the faces that are shown, and which curves these faces have. */
function facesMix(state) {
  const able = new Set(shownSides(state).flatMap(([, { face }]) => face?.names ?? []));
  const names = [...able];
  const rests = resting(names, state.mix);
  return { able, rests: new Set(names.filter((_, i) => rests[i])) };
}

/** All lanes of what is shown. */
export class Lanes {
  #key = '';
  /** @type {Lane[]} */
  #lanes = [];
  #told_ms = 0;

  /**
   * @param {HTMLElement} element
   * @param {Record<string, (what: any) => void>} actions as those of a `Lane`
   */
  constructor(element, actions) {
    this.element = element;
    this.actions = actions;
  }

  /** Draw the lines in a range, as far as they are in sight. */
  draw(state, range, isDark) {
    const regions = regionsOf(state, isDark);
    const key = JSON.stringify([regions, state.filter]);
    if (key !== this.#key) {
      this.#key = key;
      const prefix = sharedPrefix(regions.flatMap(({ curves }) => curves.map(({ name }) => name)));
      this.#lanes = regions.map((region) => new Lane(region, prefix, this.actions));
      const found = this.#lanes.map(({ element }) => element);
      this.element.replaceChildren(...(found.length ? found : [this.#nothing(state)]));
    }
    const frame = this.element.closest('#timeline')?.getBoundingClientRect();
    const [top, bottom] = [frame?.top ?? 0, Math.min(frame?.bottom ?? 0, innerHeight)];
    const isInSight = (canvas) => {
      const rect = canvas.getBoundingClientRect();
      return rect.bottom > top && rect.top < bottom;
    };
    const faces = { ...facesMix(state), isInSight };
    for (const lane of this.#lanes) lane.draw(state, range, faces);
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
    const textOf = (name) =>
      read.map(({ values, places }) => number(values, places.get(name))).join('  ');
    for (const lane of this.#lanes) lane.tell(textOf, state);
  }

  #nothing({ filter, onlyMoving }) {
    const what = onlyMoving ? 'No moving curve' : 'No curve';
    const textContent = filter.trim() ? `${what} has “${filter.trim()}” in its name.` : `${what}.`;
    return make('p.note', { textContent });
  }
}
