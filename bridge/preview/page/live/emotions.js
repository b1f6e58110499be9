/** The panel of emotions: faces to choose one, a pad to blend two, and how strong they are. */
import { make, press } from '../elements.js';
import { settingControls, settingsOf } from './controls.js';
import { emotionPad } from './pad.js';
import { metersOf, steered } from './steering.js';

/** The picture of an emotion, drawn by `python -m tools.pictures emotions`. */
const picture = (name) =>
  make('img', {
    src: `/page/emotions/${name}.png`,
    alt: '',
    width: 64,
    height: 64,
    draggable: false,
  });

/** Return the key of an action of the bridge, "" for one without. */
const keyOf = ({ keys }, action) => keys.find(({ name }) => name === action)?.keys[0] ?? '';

/**
 * @param {HTMLElement} panel
 * @param {import('../state.js').Store} store
 * @param {import('./steering.js').Steering} steering
 */
export function emotionPanel(panel, store, steering) {
  const { session } = store.state;
  const faces = session.emotions.map((name) =>
    faceButton(name, keyOf(session, `emotion ${name}`), () =>
      steering.change({ emotion: { [name]: 1 }, auto: 0 }),
    ),
  );
  const voice = make(
    'button.face',
    { type: 'button', data: { emotion: 'auto' }, aria: { pressed: false } },
    make('span.sound', { textContent: '≋', aria: { hidden: true } }),
    make('span', { textContent: 'by voice' }),
    make('kbd', { textContent: keyOf(session, 'auto'), aria: { hidden: true } }),
  );
  voice.title = session.keys.find(({ name }) => name === 'auto')?.does ?? '';
  voice.onclick = () => steering.press(keyOf(session, 'auto'));
  const grid = make('div.faces', { role: 'group' }, ...faces, voice);
  grid.setAttribute('aria-label', 'Emotion');
  const pad = emotionPad(session.emotions, picture, (mix) => steering.change({ emotion: mix }));
  const [strength, others] = parted(settingsOf(session, ''));
  const row = make('div.strength', {}, blendSwitch(grid, pad.element));
  panel.append(grid, pad.element, row);
  const drawStrength = settingControls(row, strength, steering);
  const drawOthers = settingControls(panel, others, steering);
  return (state) => {
    drawStrength(state);
    drawOthers(state);
    drawFaces([...faces, voice], state);
    const subject = steered(state);
    if (subject && !pad.element.hidden) pad.show(subject.emotion);
  };
}

/** The strength first, then the rest; the look-ahead is with the sound. */
const parted = (entries) => [
  entries.filter(([name]) => name === 'intensity'),
  entries.filter(([name]) => name !== 'intensity' && name !== 'lookahead_ms'),
];

function faceButton(name, key, choose) {
  return make(
    'button.face',
    { type: 'button', data: { emotion: name }, onclick: choose, aria: { pressed: false } },
    picture(name),
    make('span', { textContent: name }),
    make('kbd', { textContent: key, aria: { hidden: true } }),
  );
}

/** The switch between faces, of which one is chosen, and the pad, on which two blend. */
function blendSwitch(grid, pad) {
  const button = make('button.switch', { type: 'button', textContent: 'Blend' });
  button.title = 'Blend two emotions on a pad';
  const show = (isPad) => {
    [grid.hidden, pad.hidden] = [isPad, !isPad];
    press(button, isPad);
  };
  button.onclick = () => show(pad.hidden);
  show(false);
  return button;
}

/** Press the faces of the mix; the bar of each is how much of it the face has now. */
function drawFaces(buttons, state) {
  const subject = steered(state);
  if (!subject) return;
  const now = metersOf(state)?.emotion ?? {};
  const isNeutral = !Object.keys(subject.emotion).length && !subject.auto;
  for (const button of buttons) {
    const name = button.dataset.emotion ?? '';
    const isOn =
      name === 'auto'
        ? subject.auto > 0
        : subject.emotion[name] > 0 || (name === 'neutral' && isNeutral);
    press(button, isOn);
    button.style.setProperty('--share', String(Math.min(now[name] ?? 0, 1)));
  }
}
