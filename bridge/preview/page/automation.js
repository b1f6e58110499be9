/**
 * `window.cstalk`, by which tests and pictures for the docs pose the face and look at it:
 *
 * - `ready`: a promise of the first face being drawn
 * - `set(curves, side)`: pose the face of a side (default: all) by curve names of the head, as
 *   `set({jawOpen: 1})`, until it plays or moves in time again; `set(null)` ends it
 * - `state()`: what is shown, as plain values
 * - `pixels(index, part)`: the picture of a view, of its `face` or of the close-up of its `mouth`:
 *   {width, height, rgba}, rgba in base64, alpha 0 where there is no head
 */
import { clockText } from './elements.js';
import { mixed } from './mixing.js';
import { duration, shownSides } from './state.js';

const CHUNK = 0x8000;

function base64(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += CHUNK)
    text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(text);
}

/** The values of the curves on a face at a time, by name: without what is muted. */
function shownValues(face, { time_s, mix }) {
  const values = mixed(face.names, face.at(time_s), mix);
  return Object.fromEntries(face.names.map((name, i) => [name, values[i]]));
}

const sideSummary = ({ source, settings, take, progress, lanes, face }, state) => ({
  source: source?.name ?? null,
  settings,
  take: take?.id ?? null,
  progress,
  rows: lanes?.rows ?? 0,
  face: face?.rigmap.name ?? null,
  values: face ? shownValues(face, state) : {},
});

const liveSummary = ({ isOpen, subjects, rate_fps, age_ms, frames }) => ({
  isOpen,
  subjects: subjects.map(({ name }) => name),
  rate_fps,
  age_ms,
  tick: frames?.tick ?? null,
});

function summary(state) {
  const sides = shownSides(state).map(([key, side]) => [key, sideSummary(side, state)]);
  const { mode, active, time_s, playing, rate, loop, range, problems, missing, live } = state;
  const { bridge, meters, subject, mix } = state;
  return {
    mode,
    active,
    time_s,
    playing,
    rate,
    loop,
    range,
    closeup: state.closeup,
    filmstrip: state.filmstrip,
    soloed: [...mix.soloed],
    muted: [...mix.muted],
    problems,
    missing,
    bridge,
    meters,
    subject,
    clock: clockText(time_s),
    duration_s: duration(state),
    sides: Object.fromEntries(sides),
    live: live && liveSummary(live),
  };
}

/**
 * Return the surface.
 * @param {import('./state.js').Store} store
 * @param {import('./views.js').Views} views
 * @param {import('./player.js').Player} player
 */
export function automation(store, views, player) {
  /** @type {Promise<void>} */
  const ready = new Promise((resolve) => {
    store.drawWith(() => views.areReady && resolve());
  });
  return Object.freeze({
    ready,
    set(curves, side = null) {
      if (curves) player.pause();
      const posed = curves && { side, names: Object.keys(curves), values: Object.values(curves) };
      store.set({ posed });
      store.flush();
    },
    state: () => summary(store.state),
    pixels(index = 0, part = 'face') {
      const { width, height, data } = views.pixels(index, part);
      return { width, height, rgba: base64(data) };
    },
  });
}
