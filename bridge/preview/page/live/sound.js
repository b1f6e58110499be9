/** The panel of sound: which microphone, gain, noise gate, look-ahead, audio passthrough. */
import * as api from '../api.js';
import { Refusal } from '../api.js';
import { fillMenu, make, write } from '../elements.js';
import { settingControls, settingsOf } from './controls.js';
import { metersOf, steered } from './steering.js';

const FLOOR_DB = -60; // the left end, the noise of a quiet room, as in the terminal

const share = (level_db) => Math.min(Math.max(1 - level_db / FLOOR_DB, 0), 1);

/** The level meter: its element, and how it is drawn. */
export function levelMeter() {
  const element = make(
    'div.meter',
    { role: 'meter' },
    make('i.level'),
    make('i.peak'),
    make('i.opens'),
  );
  element.setAttribute('aria-label', 'Level');
  element.setAttribute('aria-valuemin', String(FLOOR_DB));
  element.setAttribute('aria-valuemax', '0');
  const text = make('output.level');
  const draw = (state) => {
    const [meters, subject] = [metersOf(state), steered(state)];
    if (!meters || !subject) return;
    const { level_db, peak_db, gate_open, clips } = meters;
    element.style.setProperty('--level', String(share(level_db)));
    element.style.setProperty('--peak', String(share(peak_db)));
    element.style.setProperty('--opens', String(share(subject.audio_gate_open_db)));
    element.classList.toggle('is-gated', subject.audio_gate_enabled);
    element.classList.toggle('is-closed', !gate_open);
    element.classList.toggle('is-clipping', clips);
    const words = clips ? 'clips: lower the gain' : gate_open ? '' : 'gate closed';
    const level = `${Math.round(level_db)} dB`;
    write(text, words || level);
    element.setAttribute('aria-valuenow', level_db.toFixed(0));
    element.setAttribute('aria-valuetext', [level, words].filter(Boolean).join(', '));
  };
  return { element: make('div.levels', {}, element, text), draw };
}

/**
 * @param {HTMLElement} panel
 * @param {import('../state.js').Store} store
 * @param {import('./steering.js').Steering} steering
 */
export function soundPanel(panel, store, steering) {
  const menu = make('select', { aria: { label: 'Microphone' } });
  const renew = make('button', { type: 'button', textContent: 'Look again' });
  const field = make('div.field', {}, make('span', { textContent: 'Microphone' }));
  field.append(make('div.pair', {}, menu, renew));
  panel.append(field);
  let inputs = [];
  const look = async () => {
    try {
      const found = await api.devices();
      inputs = found.inputs;
      store.complain(...found.problems);
    } catch (error) {
      store.complain(...Refusal.problemsOf(error));
    }
    draw(store.state);
  };
  renew.onclick = look;
  menu.onchange = () => steering.change({ input: menu.value });
  const drawSettings = settingControls(panel, settingsOf(store.state.session, 'audio'), steering);
  const { lookahead_ms } = store.state.session.live_settings;
  const drawDelay = settingControls(panel, [['lookahead_ms', lookahead_ms]], steering);
  const drawPassthrough = passthroughPart(panel, store.state.session, steering);
  const draw = (state) => {
    const subject = steered(state);
    if (!subject) return;
    const entries = inputs.map(({ id, name, is_default: isDefault }) => ({
      value: id,
      text: isDefault ? `${name} (default)` : name,
    }));
    const present = inputs.find(({ id, name }) => [id, name].includes(subject.input));
    const others = present ? [] : [{ value: '', text: subject.input || 'opening …' }];
    fillMenu(menu, [...others, ...entries], present?.id ?? '');
    drawSettings(state);
    drawDelay(state);
    drawPassthrough(state);
  };
  look();
  return draw;
}

/** The audio passthrough of a subject that has one: lamp, delay, what is wrong, and its settings. */
function passthroughPart(panel, session, steering) {
  const lamp = make('span.lampword');
  const [device, delay] = [make('b'), make('span')];
  const [faults, advice] = [make('span'), make('small')];
  const row = make('li', {}, lamp, device, delay, faults, advice);
  const part = make(
    'section.passthrough',
    { aria: { label: 'Audio passthrough' } },
    make('h3', { textContent: 'Audio passthrough' }),
    make('ul.rows', {}, row),
  );
  panel.append(part);
  const drawSettings = settingControls(part, settingsOf(session, 'passthrough'), steering);
  return (state) => {
    const played = steered(state)?.passthrough;
    part.hidden = !played;
    if (!played) return;
    lamp.dataset.state = played.state;
    write(lamp, played.lamp);
    write(device, played.device);
    write(delay, played.state === 'good' ? `${played.delay_ms} ms behind its arrival` : '');
    write(faults, faultsText(played));
    write(advice, adviceText(played));
    drawSettings(state);
  };
}

const faultsText = ({ gaps, jumps }) =>
  [
    ...(gaps ? [gaps === 1 ? '1 gap' : `${gaps} gaps`] : []),
    ...(jumps ? [jumps === 1 ? '1 jump' : `${jumps} jumps`] : []),
  ].join(', ');

const adviceText = ({ fault, late_ms }) =>
  fault || (late_ms ? `${late_ms} ms later than the face; raise the look-ahead` : '');
