/** The panel of the face: what moves by itself, and the head on which the page shows it. */
import { fillMenu, make, press, write } from '../elements.js';
import { isAlive, switched } from '../levels.js';
import { control } from './controls.js';
import { steered } from './steering.js';

const words = (name) => name.replaceAll('_', ' ');

/**
 * @param {HTMLElement} panel
 * @param {import('../state.js').Store} store
 * @param {import('./steering.js').Steering} steering
 * @param {(head: string) => void} chooseHead
 */
export function facePanel(panel, store, steering, chooseHead) {
  const { session } = store.state;
  const alive = make('button.switch', { type: 'button', aria: { label: 'Procedural animation' } });
  alive.title = 'Gaze, blinks, brows, head and breath; off: the generated face alone';
  alive.onclick = () => {
    const levels = steered(store.state)?.levels;
    if (levels) steering.change({ levels: switched(levels, session) });
  };
  panel.append(
    make('div.control', {}, make('span', { textContent: 'Procedural animation' }), alive),
  );
  const levels = Object.entries(session.levels).map(([name, info]) => ({
    name,
    ...control(name, { ...info, label: words(name) }, (value) =>
      steering.change({ levels: { [name]: Number(value) } }),
    ),
  }));
  panel.append(...levels.map(({ element }) => element));
  const head = make('select');
  head.onchange = () => chooseHead(head.value);
  panel.append(make('label.field', {}, make('span', { textContent: 'Head shown' }), head));
  return (state) => {
    const subject = steered(state);
    if (!subject) return;
    const isOn = isAlive(subject.levels, session);
    press(alive, isOn);
    write(alive, isOn ? 'On' : 'Off');
    for (const { name, show } of levels) show(subject.levels[name]);
    const known = state.heads.map(({ id, name }) => ({ value: id, text: name }));
    fillMenu(head, known, state.sides.A.settings.head);
  };
}
