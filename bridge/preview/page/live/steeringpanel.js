/** The live panel: state and buttons of the run, and a panel for each thing that can be set. */
import { buttonsIn, byId, fillMenu, make, press, write } from '../elements.js';
import { emotionPanel } from './emotions.js';
import { facePanel } from './face.js';
import { linksPanel, takesPanel } from './runs.js';
import { levelMeter, soundPanel } from './sound.js';
import { steered } from './steering.js';

const FIELDS = ['bridge', 'meters', 'wished', 'subject', 'mode', 'heads', 'sides'];
const TITLES = { emotion: 'Emotion', sound: 'Sound', face: 'Face', takes: 'Takes', links: 'Links' };
const COLUMNS = [
  ['emotion', 'face'],
  ['sound', 'takes', 'links'],
];

/**
 * @param {import('../state.js').Store} store
 * @param {import('./steering.js').Steering} steering
 * @param {(head: string) => void} chooseHead
 */
export function followSteering(store, steering, chooseHead) {
  const meter = levelMeter();
  byId('meters').append(meter.element);
  const panels = makePanels();
  const drawers = [
    meter.draw,
    emotionPanel(panels.emotion, store, steering),
    soundPanel(panels.sound, store, steering),
    facePanel(panels.face, store, steering, chooseHead),
    takesPanel(panels.takes, steering),
    linksPanel(panels.links, store.state.session, steering),
    drawStrip,
    drawActions,
  ];
  followActions(store, steering);
  store.drawWith((state, before) => {
    if (state.mode !== 'live' || !state.bridge) return;
    if (before && FIELDS.every((name) => state[name] === before[name])) return;
    for (const draw of drawers) draw(state);
  });
}

/** Make the panels and the buttons that choose one where there is no room for all. */
function makePanels() {
  const choose = (chosen) => {
    byId('steering').dataset.panel = chosen;
    for (const button of buttonsIn('tabs')) press(button, button.dataset.panel === chosen);
  };
  const panels = Object.fromEntries(
    Object.entries(TITLES).map(([name, title]) => [
      name,
      make(
        'section.panel',
        { id: `panel-${name}`, aria: { label: title } },
        make('h2', { textContent: title }),
      ),
    ]),
  );
  byId('tabs').append(
    ...Object.entries(TITLES).map(([name, textContent]) =>
      make('button', {
        type: 'button',
        textContent,
        data: { panel: name },
        aria: { controls: `panel-${name}` },
        onclick: () => choose(name),
      }),
    ),
  );
  byId('panels').append(
    ...COLUMNS.map((names) => make('div.column', {}, ...names.map((name) => panels[name]))),
  );
  choose('emotion');
  return panels;
}

function followActions(store, steering) {
  byId('mute').onclick = () => steering.change({ is_muted: !steered(store.state)?.is_muted });
  byId('pause').onclick = () => steering.change({ is_paused: !steered(store.state)?.is_paused });
  byId('record').onclick = () =>
    steering.record(store.state.bridge?.recording.is_recording ? 'stop' : 'start');
  const menu = byId('subject', 'select');
  menu.onchange = () => steering.choose(menu.value);
}

/** @param {import('../state.js').State} state */
function drawStrip(state) {
  const { bridge, meters } = state;
  const subject = steered(state);
  if (!subject || !bridge) return;
  const names = bridge.subjects.map(({ name }) => ({ value: name, text: name }));
  byId('subject').hidden = names.length < 2;
  fillMenu(byId('subject', 'select'), names, subject.name);
  const { health } = subject;
  write(byId('state'), health?.state ?? '');
  byId('state').dataset.state = health?.is_fault
    ? 'fault'
    : health?.state === 'OK'
      ? 'good'
      : 'idle';
  write(byId('advice'), health?.advice ?? '');
  write(byId('timecode'), meters?.timecode ?? '');
  const links = subject.links ?? [];
  const worst =
    ['fault', 'idle'].find((each) => links.some(({ state: lamp }) => lamp === each)) ?? 'good';
  const lamps = { links: worst, sound: subject.passthrough?.state === 'fault' ? 'fault' : '' };
  for (const tab of buttonsIn('tabs')) tab.dataset.state = lamps[tab.dataset.panel ?? ''] ?? '';
}

/** @param {import('../state.js').State} state */
function drawActions(state) {
  const { bridge, meters } = state;
  const subject = steered(state);
  if (!subject || !bridge) return;
  press(byId('mute'), subject.is_muted);
  write(byId('mute-text'), subject.is_muted ? 'Muted' : 'Mute');
  press(byId('pause'), subject.is_paused);
  write(byId('pause-text'), subject.is_paused ? 'Paused' : 'Pause');
  const { is_recording: isOn, slate, take, lost, ended, folder } = bridge.recording;
  press(byId('record'), isOn);
  const seconds = meters?.take_s ?? 0;
  const time = `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
  write(byId('record-text'), isOn ? `REC ${time}` : 'Record');
  const [last] = ended;
  const lately = last ? `Last take: ${last.folder}` : `Next take: ${slate} ${take}, in ${folder}`;
  write(
    byId('take-text'),
    isOn ? `${slate} ${take}${lost ? `, ${lost} frames lost` : ''}, in ${folder}` : lately,
  );
}
