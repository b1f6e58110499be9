/** What the keys do, and the page that says so. */
import { byId, make, targetOf } from './elements.js';
import { duration } from './state.js';
import { CLOSEUP_ANGLES_DEG } from './views.js';

const STEP_S = 1; // of an arrow with shift
const INTENSITY = 0.05;

/**
 * Every key, what it does, and how the help says it.
 * @type {[string, string, string[], ?((page: any, event: {key: string, shiftKey: boolean}) => void)][]}
 */
const KEYS = [
  ['Space', 'play or pause', [' '], ({ player }) => player.toggle()],
  ['← →', 'one frame back or forward; with shift one second', ['ArrowLeft', 'ArrowRight'], step],
  [
    'Home End',
    'to the start or the end',
    ['Home', 'End'],
    ({ player, store }, { key }) => player.seek(key === 'Home' ? 0 : duration(store.state)),
  ],
  ['0 1 2 …', 'choose the emotion', [...'0123456789'], emotion],
  ['↑ ↓', 'more or less intensity', ['ArrowUp', 'ArrowDown'], intensity],
  ['I O', 'start or end the loop here', ['i', 'o'], loopEnd],
  ['L', 'no loop', ['l'], ({ store }) => store.set({ loop: null })],
  ['+ − F', 'zoom in, out, show all', ['+', '=', '-', 'f'], zoom],
  [
    'S M',
    'solo or mute the curve or the lane in focus or under the pointer',
    ['s', 'm'],
    ({ timeline }, { key }) => timeline.mixHere(key === 's' ? 'solo' : 'mute'),
  ],
  ['R', 'all curves move again: no solo, no mute', ['r'], ({ timeline }) => timeline.resetMix()],
  ['/', 'filter the curves by name', ['/'], () => byId('filter', 'input').focus()],
  ['C', 'compare two faces', ['c'], ({ takes, store }) => takes.setCompare(!store.state.sides.B)],
  ['V', 'close-up of the mouth: from the front, from 45°, from 90°, none', ['v'], closeup],
  ['T', 'a strip of frames: faces, mouths, none', ['t'], filmstrip],
  ['Tab', 'go through all controls', [], null],
  ['?', 'this page', ['?'], ({ store }) => openHelp(store.state)],
];

const MOUSE = [
  ['drag on a track', 'scrub'],
  ['drag on the ruler', 'choose a loop'],
  ['wheel', 'zoom over ruler and sound, scroll over curves (zoom with ctrl)'],
  ['two fingers on a track', 'zoom and pan'],
  ['shift and drag or wheel', 'pan'],
  ['drag on a face', 'look from another side; double click: from the front'],
];

function step({ player, store }, { key, shiftKey }) {
  const { state } = store;
  const rate_hz = state.sides[state.active].take?.rate_hz ?? 50;
  const by_s = shiftKey ? STEP_S : 1 / rate_hz;
  player.pause();
  const time_s = state.time_s + (key === 'ArrowLeft' ? -by_s : by_s);
  player.seek(shiftKey ? time_s : Math.round(time_s * rate_hz) / rate_hz);
}

function canMake({ source }) {
  return !source || Boolean(source.recording);
}

/** Change settings of the active side, if it can. */
function change({ takes, store }, patch) {
  const { sides, active } = store.state;
  if (canMake(sides[active])) takes.change(active, patch);
}

function emotion(page, { key }) {
  const name = page.store.state.session.emotions[Number(key)];
  if (name) change(page, { emotion: name });
}

function intensity(page, { key }) {
  const { state } = page.store;
  const { settings } = state.sides[state.active];
  const more = settings.intensity + (key === 'ArrowUp' ? INTENSITY : -INTENSITY);
  const limited = Math.min(Math.max(more, 0), state.session.max_weight);
  change(page, { intensity: Number(limited.toFixed(2)) });
}

function loopEnd({ store }, { key }) {
  const { loop, time_s } = store.state;
  const whole = loop ?? { start_s: 0, end_s: duration(store.state) };
  const next =
    key.toLowerCase() === 'i' ? { ...whole, start_s: time_s } : { ...whole, end_s: time_s };
  if (next.end_s > next.start_s) store.set({ loop: next });
}

/** Return the entry of a list after one, and null after the last. */
const after = (list, entry) => list[list.indexOf(entry) + 1] ?? null;

function closeup({ store }) {
  store.set({ closeup: after(CLOSEUP_ANGLES_DEG, store.state.closeup) });
}

function filmstrip({ store }) {
  store.set({ filmstrip: after(['face', 'mouth'], store.state.filmstrip) });
}

function zoom({ timeline }, { key }) {
  if (key === 'f') timeline.fit();
  else timeline.zoom(key === '-' ? 1.5 : 1 / 1.5);
}

/** Whether a key belongs to the control that has the focus. */
function isTaken(event) {
  const { key } = event;
  const target = targetOf(event);
  if (target.closest('dialog[open]')) return true;
  if (target.matches('input[type=search]')) {
    if (key === 'Escape' || key === 'Enter') target.blur();
    return true;
  }
  if (target.matches('select, textarea, input[type=text], input[type=number]')) return true;
  if (target.matches('input[type=range]')) return /^(Arrow|Home|End|Page)/.test(key);
  return (key === ' ' || key === 'Enter') && target.matches('button, summary, a');
}

/**
 * Keep the focus where the keyboard put it: after a click on a button or a choice from a menu,
 * space still plays and the digits still choose emotions.
 */
function keepFocus() {
  addEventListener('mousedown', (event) => {
    const target = targetOf(event);
    if (target.closest('button') && !target.closest('dialog')) event.preventDefault();
  });
  addEventListener('change', (event) => {
    if (targetOf(event).matches('select')) targetOf(event).blur();
  });
}

/** Listen to the keyboard. @param {{store, player, takes, steering, timeline}} page */
export function followKeys(page) {
  keepFocus();
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTaken(event)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = page.store.state.mode === 'live' ? liveAction(page, key) : takeAction(page, key);
    if (!action) return;
    event.preventDefault();
    action({ key, shiftKey: event.shiftKey });
  });
  byId('help').onclick = () => openHelp(page.store.state);
}

function takeAction(page, key) {
  const act = KEYS.find(([, , keys]) => keys.includes(key))?.[3];
  return act && ((event) => act(page, event));
}

/** What a key of the table of the bridge does; the terminal has the same. */
function liveAction({ store, steering }, key) {
  const action = store.state.session.keys.find(({ keys }) => keys.includes(key));
  if (action?.acts) return () => steering.press(key);
  if (action?.name === 'next') return () => steering.chooseNext();
  return action && (() => openHelp(store.state));
}

/** Open the help on the keys of the view. */
function openHelp({ mode, session }) {
  const say = (names, does) => [make('dt', {}, ...names), make('dd', { textContent: does })];
  const caps = (keys) => keys.map((key) => make('kbd', { textContent: key }));
  const ofTakes = [
    ...KEYS.flatMap(([keys, does]) => say(caps(keys.split(' ')), does)),
    ...MOUSE.flatMap(([how, does]) => say([how], does)),
  ];
  const ofBridge = session.keys.flatMap(({ keys, does }) => say(caps(keys), does));
  byId('keys')
    .querySelector('dl')
    ?.replaceChildren(...(mode === 'live' ? ofBridge : ofTakes));
  byId('keys', 'dialog').showModal();
}
