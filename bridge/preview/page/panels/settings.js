/** The settings of the active side. */
import { buttonsIn, byId, fillMenu, make, press, write } from '../elements.js';
import { sourceNames } from '../sourcenames.js';
import { numberText } from '../state.js';
import { drawLife, followLife } from './life.js';

const FIELDS = ['sides', 'active', 'sources', 'heads', 'missing'];

/**
 * @param {import('../state.js').Store} store
 * @param {import('../takes.js').Takes} takes
 */
export function followSettings(store, takes) {
  const { session } = store.state;
  const change = (patch) => takes.change(store.state.active, patch);
  byId('emotions').append(
    ...session.emotions.map((name, digit) =>
      make(
        'button',
        { type: 'button', data: { emotion: name }, onclick: () => change({ emotion: name }) },
        make('kbd', { textContent: String(digit), aria: { hidden: true } }),
        name,
      ),
    ),
  );
  slider('intensity', { max: session.max_weight }, (value) => change({ intensity: value }));
  for (const [name, number] of Object.entries(session.settings)) {
    byId('sliders').append(numberField(name, number));
    slider(name, {}, (value) => change({ [name]: value }));
  }
  followLife(store, change);
  followMenu('rigmap', (rigmap) => change({ rigmap }));
  followMenu('head', (head) => change({ head }));
  followMenu('source', (chosen) => {
    const { sources, active } = store.state;
    takes.show(
      active,
      sources.find(({ key }) => key === chosen),
    );
  });
  for (const button of buttonsIn('sides'))
    button.onclick = () => store.set({ active: button.dataset.side === 'B' ? 'B' : 'A' });
  store.drawWith((state, before) => {
    if (!before || FIELDS.some((name) => state[name] !== before[name])) draw(state);
  });
}

function followMenu(id, onChoice) {
  const menu = byId(id, 'select');
  menu.onchange = () => onChoice(menu.value);
}

/**
 * The field of a number of the table of settings.
 * @param {string} name
 * @param {import('../state.js').NumberInfo} number
 */
function numberField(name, { label, title, minimum, maximum, step }) {
  const output = make('output', { id: `${name}-value` });
  const input = make('input', { type: 'range', id: name, min: minimum, max: maximum, step });
  return make('label.field', { title }, make('span', {}, `${label} `, output), input);
}

function slider(id, properties, onInput) {
  const element = byId(id, 'input');
  Object.assign(element, properties);
  element.oninput = () => onInput(Number(element.value));
}

function draw(state) {
  const { session, sources, active } = state;
  const { source, take, settings } = state.sides[active];
  const isFixed = Boolean(source && !source.recording);
  byId('sides').hidden = !state.sides.B;
  for (const button of buttonsIn('sides')) press(button, button.dataset.side === active);
  byId('source-field').hidden = !sources.length;
  byId('making').hidden = isFixed;
  byId('fixed').hidden = !isFixed;
  for (const button of buttonsIn('emotions'))
    press(button, button.dataset.emotion === settings.emotion);
  setSlider('intensity', settings.intensity, settings.intensity.toFixed(2));
  for (const [name, number] of Object.entries(session.settings))
    setSlider(name, settings[name], numberText(settings[name], number));
  drawLife(settings.levels, session);
  drawMenus(state, settings);
  drawMissing(state.missing[settings.head] ?? []);
  byId('notice').hidden = !take?.notice;
  write(byId('notice'), take?.notice ?? '');
}

function drawMenus({ sides, active, sources, session, heads }, settings) {
  const fill = (id, entries, chosen) => fillMenu(byId(id, 'select'), entries, chosen);
  const named = (list) => list.map(({ name }) => ({ value: name, text: name }));
  const names = sourceNames(sources);
  const opened = sources.map(({ key, name }) => ({ value: key, text: names.get(key) ?? name }));
  fill('source', opened, sides[active].source?.key ?? '');
  fill('rigmap', named(session.rigmaps), settings.rigmap);
  const known = heads.map(({ id, name }) => ({ value: id, text: name }));
  fill('head', known, settings.head);
}

function setSlider(id, value, text) {
  const element = byId(id, 'input');
  if (Number(element.value) !== value) element.value = String(value);
  element.setAttribute('aria-valuetext', text);
  write(byId(`${id}-value`), text);
}

/** List the curves that move nothing of the head. */
function drawMissing(names) {
  const details = byId('missing');
  details.hidden = !names.length;
  const what = names.length === 1 ? '1 shape is missing' : `${names.length} shapes are missing`;
  write(details.querySelector('summary'), what);
  write(details.querySelector('p'), names.join(', '));
}
