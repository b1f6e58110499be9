/** Procedural animation of a face: one switch for all of it, and a slider for each level. */
import { byId, make, press, write } from '../elements.js';
import { isAlive, switched } from '../levels.js';

const words = (name) => name.replaceAll('_', ' ');

/**
 * @param {import('../state.js').Store} store
 * @param {(patch: object) => void} change settings of the face that is set
 */
export function followLife(store, change) {
  const levels = () => store.state.sides[store.state.active]?.settings.levels ?? {};
  byId('levels').append(
    ...Object.entries(store.state.session.levels).map(([name, level]) => {
      const { minimum, maximum, step, title } = level;
      const input = make('input', { type: 'range', min: minimum, max: maximum, step });
      input.dataset.level = name;
      input.oninput = () => change({ levels: { ...levels(), [name]: Number(input.value) } });
      return make('label.field', { title }, make('span', {}, words(name), make('output')), input);
    }),
  );
  byId('alive').onclick = () => change({ levels: switched(levels(), store.state.session) });
}

/** Show the levels of the face that is set. */
export function drawLife(levels, session) {
  const alive = isAlive(levels, session);
  press(byId('alive'), alive);
  write(byId('alive'), alive ? 'On' : 'Off');
  for (const input of byId('levels').querySelectorAll('input')) {
    const level = levels[input.dataset.level ?? ''];
    if (Number(input.value) !== level) input.value = String(level);
    input.setAttribute('aria-valuetext', level.toFixed(2));
    const output = input.parentElement?.querySelector('output');
    if (output) write(output, level.toFixed(2));
  }
}
