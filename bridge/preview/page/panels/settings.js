/** The settings of the active side. */
import { byId, fillMenu, make, press, write } from '../elements.js';
import { shownSettings } from '../steering.js';
import { drawLife, followLife } from './life.js';

const FIELDS = ['sides', 'active', 'sources', 'heads', 'missing', 'mode', 'steered', 'subject'];

/**
 * @param {import('../state.js').Store} store
 * @param {import('../takes.js').Takes} takes
 * @param {import('../steering.js').Steering} steering
 */
export function followSettings(store, takes, steering) {
  const { session } = store.state;
  const changeSide = (patch) => takes.change(store.state.active, patch);
  const change = (patch) =>
    store.state.mode === 'live' ? steering.change(patch) : changeSide(patch);
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
  slider('guard', {}, (value) => change({ mouth_guard: value }));
  slider(
    'lookahead',
    { max: session.lookahead_ms.maximum, step: session.lookahead_ms.step },
    (value) => change({ lookahead_ms: value }),
  );
  followLife(store, change);
  byId('rigmap').onchange = ({ target }) => changeSide({ rigmap: target.value });
  byId('head').onchange = ({ target }) => changeSide({ head: target.value });
  byId('subject').onchange = ({ target }) => steering.choose(target.value);
  byId('source').onchange = ({ target }) => {
    const { sources, active } = store.state;
    takes.show(
      active,
      sources.find(({ key }) => key === target.value),
    );
  };
  for (const button of byId('sides').children)
    button.onclick = () => store.set({ active: button.dataset.side });
  store.drawWith((state, before) => {
    if (!before || FIELDS.some((name) => state[name] !== before[name])) draw(state);
  });
}

function slider(id, properties, onInput) {
  const element = byId(id);
  Object.assign(element, properties);
  element.oninput = () => onInput(Number(element.value));
}

function draw(state) {
  const { session, sources, heads, active, mode } = state;
  const { source, take } = state.sides[active];
  const settings = shownSettings(state);
  const isLive = mode === 'live';
  const isFixed = Boolean(source && !source.recording);
  byId('sides').hidden = isLive || !state.sides.B;
  for (const button of byId('sides').children) press(button, button.dataset.side === active);
  byId('source-field').hidden = isLive || !sources.length;
  fillMenu(
    byId('source'),
    sources.map(({ key, name }) => ({ value: key, text: name })),
    source?.key ?? '',
  );
  byId('subject-field').hidden = !isLive || state.steered.length < 2;
  fillMenu(
    byId('subject'),
    state.steered.map(({ name }) => ({ value: name, text: name })),
    state.subject ?? '',
  );
  byId('making').hidden = isLive ? !state.steered.length : isFixed;
  byId('lookahead-field').hidden = isLive;
  byId('fixed').hidden = isLive || !isFixed;
  byId('rigmap-field').hidden = isLive;
  byId('of-daemon').hidden = !isLive;
  for (const button of byId('emotions').children)
    press(button, button.dataset.emotion === settings.emotion);
  setSlider('intensity', settings.intensity, settings.intensity.toFixed(2));
  setSlider('guard', settings.mouth_guard, settings.mouth_guard.toFixed(2));
  setSlider('lookahead', settings.lookahead_ms, `${settings.lookahead_ms} ms`);
  drawLife(settings.levels, session);
  fillMenu(
    byId('rigmap'),
    session.rigmaps.map(({ name }) => ({ value: name, text: name })),
    settings.rigmap,
  );
  fillMenu(
    byId('head'),
    heads.map(({ id, name }) => ({ value: id, text: name })),
    settings.head,
  );
  drawMissing(state.missing[settings.head] ?? []);
  byId('notice').hidden = isLive || !take?.notice;
  write(byId('notice'), take?.notice ?? '');
}

function setSlider(id, value, text) {
  const element = byId(id);
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
