/** The panels of the run: takes with their names and places; links with their lamps, and notices. */
import { fillMenu, make, write } from '../elements.js';
import { steered } from './steering.js';

/**
 * The name of the next take, where takes lie, and those that ended.
 * @param {HTMLElement} panel
 * @param {import('./steering.js').Steering} steering
 */
export function takesPanel(panel, steering) {
  const slate = make('input', { type: 'text', id: 'slate', maxLength: 200, autocomplete: 'off' });
  const number = make('input', { type: 'number', id: 'take-number', min: 0, step: 1 });
  const start = make('button.record', { type: 'button' });
  const place = make('p.note');
  const list = make('ul.rows');
  panel.append(
    make(
      'div.naming',
      {},
      make('label.field', {}, make('span', { textContent: 'Slate' }), slate),
      make('label.field.number', {}, make('span', { textContent: 'Take' }), number),
      start,
    ),
    place,
    list,
  );
  let recording = /** @type {?import('../state.js').Bridge['recording']} */ (null);
  start.onclick = () =>
    recording?.is_recording
      ? steering.record('stop')
      : steering.record('start', { slate: slate.value, take: Number(number.value) });
  return ({ bridge }) => {
    if (!bridge || bridge.recording === recording) return;
    const now = bridge.recording; // what somebody has typed stays until this has another name
    const isRenamed = now.slate !== recording?.slate || now.take !== recording?.take;
    recording = now;
    for (const [input, value] of /** @type {const} */ ([
      [slate, now.slate],
      [number, String(now.take)],
    ])) {
      if (isRenamed && document.activeElement !== input) input.value = value;
      input.disabled = now.is_recording;
    }
    write(start, now.is_recording ? 'End take' : 'Record');
    start.setAttribute('aria-pressed', String(now.is_recording));
    write(place, `Takes lie in ${now.folder}`);
    list.replaceChildren(...now.ended.map(endedTake));
  };
}

const endedTake = ({ identifier, folder, begin, end, problem }) =>
  make(
    'li',
    {},
    make('b', { textContent: identifier }),
    make('span', { textContent: `${begin} – ${end}` }),
    make('small', { textContent: problem ? `incomplete: ${problem}` : folder }),
  );

const ago = (age_s) =>
  age_s < 60 ? `${Math.max(0, Math.round(age_s))} s ago` : `${Math.round(age_s / 60)} min ago`;

/**
 * The links of the subject with their lamps and rig maps, the time, what was lost, and notices.
 * @param {HTMLElement} panel
 * @param {import('../state.js').Session} session
 * @param {import('./steering.js').Steering} steering
 */
export function linksPanel(panel, session, steering) {
  const maps = make('div.maps');
  const links = make('ul.rows.links');
  const facts = make('dl.facts');
  const notices = make('ul.rows.notices');
  const reset = resetButton(session, steering);
  panel.append(links, maps, facts, reset, notices);
  let drawn = '';
  return (state) => {
    const { bridge, meters } = state;
    const subject = steered(state);
    if (!bridge || !subject) return;
    drawMaps(maps, subject, session, steering);
    const key = JSON.stringify([
      ...[subject.links, subject.latency_ms, subject.losses],
      ...[bridge.notices, bridge.time, bridge.log],
    ]);
    if (key === drawn) return;
    drawn = key;
    links.replaceChildren(...(subject.links ?? []).map(linkRow));
    facts.replaceChildren(...factsOf(bridge, subject).flat());
    reset.hidden = !Object.keys(subject.losses ?? {}).length && !hasFailed(subject);
    const now_s = meters?.now_s ?? 0;
    notices.replaceChildren(
      ...[...(bridge.notices ?? [])].reverse().map((each) => noticeRow(each, now_s)),
    );
  };
}

const hasFailed = ({ links }) => (links ?? []).some(({ failed }) => failed);

/** A button for the key that counts losses anew, as the bridge declares it. */
function resetButton({ keys }, steering) {
  const action = keys.find(({ name }) => name === 'reset');
  const key = action?.keys[0] ?? '';
  return make('button.reset', {
    type: 'button',
    textContent: `${action?.label ?? ''} (${key})`,
    title: action?.does ?? '',
    hidden: true,
    onclick: () => steering.press(key),
  });
}

const linkRow = ({ name, lamp, state, advice, rate, failed }) =>
  make(
    'li',
    {},
    make('span.lampword', { textContent: lamp, data: { state } }),
    make('b', { textContent: name }),
    make('span', { textContent: `${rate} /s${failed ? ` · ${failed} not sent` : ''}` }),
    ...(advice ? [make('small', { textContent: advice })] : []),
  );

const noticeRow = ({ time_s, subject, text }, now_s) =>
  make(
    'li',
    {},
    make('span', { textContent: subject ? `${subject}: ${text}` : text }),
    make('small', { textContent: ago(now_s - time_s) }),
  );

/** What is known of the run, as terms and their descriptions. */
function factsOf(bridge, subject) {
  const [median, p99] = subject.latency_ms ?? [];
  const lost = Object.entries(subject.losses ?? {}).map(([cause, count]) => `${count} ${cause}`);
  const facts = {
    Time: bridge.time || 'host clock',
    'Frame rate': `${bridge.rate} fps`,
    Latency: median === undefined ? '–' : `${median} ms (p99 ${p99})`,
    Buffer: `${subject.buffer_ms} ms`,
    Lost: lost.join(', ') || 'nothing',
    ...(bridge.log && { Log: bridge.log }),
  };
  return Object.entries(facts).map(([term, text]) => [
    make('dt', { textContent: term }),
    make('dd', { textContent: text }),
  ]);
}

/** One menu for each rig map that a link has: the maps that give the same curves. */
function drawMaps(room, { rigmaps }, session, steering) {
  const key = JSON.stringify(rigmaps);
  if (room.dataset.key === key) return;
  room.dataset.key = key;
  const fields = rigmaps.map((present) => {
    const target = session.rigmaps.find(({ name }) => name === present)?.target;
    const fitting = session.rigmaps.filter((map) => map.target === target && target);
    const names = [...new Set([present, ...fitting.map(({ name }) => name)])];
    const menu = make('select', { aria: { label: 'Rig map' } });
    fillMenu(
      menu,
      names.map((name) => ({ value: name, text: name })),
      present,
    );
    menu.onchange = () => {
      steering.changeRigMap(present, menu.value);
      room.dataset.key = '';
    };
    return make('label.field', {}, make('span', { textContent: 'Rig map' }), menu);
  });
  room.replaceChildren(...fields);
}
