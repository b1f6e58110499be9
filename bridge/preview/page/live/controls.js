/** Controls of the live panel, each made from its setting in the table of settings. */
import { make, press, write } from '../elements.js';
import { numberText } from '../state.js';
import { steered } from './steering.js';

/**
 * Return a slider or a switch of a setting: its element, and how it shows a value.
 * @param {string} name field name of the setting
 * @param {import('../state.js').NumberInfo} info
 * @param {(value: number | boolean) => void} change
 * @returns {{element: HTMLElement, show: (value: any) => void}}
 */
export function control(name, info, change) {
  return info.is_switch ? switchOf(name, info, change) : slider(name, info, change);
}

function slider(name, { label, title, minimum, maximum, step, unit }, change) {
  const output = make('output');
  const input = make('input', { type: 'range', min: minimum, max: maximum, step });
  Object.assign(input.dataset, { setting: name });
  const element = make('label.control', { title }, make('span', {}, label), input, output);
  input.oninput = () => {
    change(Number(input.value));
    show(Number(input.value));
  };
  const show = (value) => {
    if (Number(input.value) !== value) input.value = String(value);
    const text = numberText(Number(value.toFixed(2)), { unit });
    write(output, text);
    input.setAttribute('aria-valuetext', text);
  };
  return { element, show };
}

function switchOf(name, { label, title }, change) {
  const button = make('button.switch', { type: 'button', title, data: { setting: name } });
  button.setAttribute('aria-label', label);
  button.onclick = () => change(button.getAttribute('aria-pressed') !== 'true');
  const element = make('div.control', {}, make('span', { textContent: label }), button);
  return {
    element,
    show: (isOn) => {
      press(button, isOn);
      write(button, isOn ? 'On' : 'Off');
    },
  };
}

/**
 * Put the controls of some settings of the subject into a panel, and return how to draw them.
 * @param {HTMLElement} panel
 * @param {[string, import('../state.js').NumberInfo][]} entries
 * @param {import('./steering.js').Steering} steering
 */
export function settingControls(panel, entries, steering) {
  const controls = entries.map(([name, info]) => ({
    name,
    ...control(name, info, (value) => steering.change({ [name]: value })),
  }));
  panel.append(...controls.map(({ element }) => element));
  return (state) => {
    const subject = steered(state);
    for (const { name, show } of controls) if (subject && name in subject) show(subject[name]);
  };
}

/** The live settings of a group, as [field name, info]. */
export const settingsOf = ({ live_settings: settings }, group) =>
  Object.entries(settings).filter(([, info]) => info.group === group);
