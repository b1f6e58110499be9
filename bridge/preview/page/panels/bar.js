/** The bar at the top: what is shown, opening, comparing, exporting. */
import { exportUrl, waveUrl } from '../api.js';
import { buttonsIn, byId, make, press, targetOf, write } from '../elements.js';
import { isSilent } from '../live.js';
import { faceMaps } from '../moving.js';
import { nameOf } from '../sourcenames.js';
import { shownSides } from '../state.js';

/**
 * Return a link to a take in one format, with the rig map and the head that suit it. The map with
 * which a page begins is that of the preview's heads: a format has its own instead.
 */
function formatLink(take, { rigmap, head }, format, { heads, rigmaps }) {
  const query = { format: format.id };
  const { target } = rigmaps.find(({ name }) => name === rigmap);
  const isChosen = rigmap !== faceMaps({ rigmaps })[0]?.name;
  if (isChosen && (!format.target || format.target === target)) query.rigmap = rigmap;
  if (heads.find(({ id }) => id === head)?.url) query.head = head;
  return make(
    'a',
    { href: exportUrl(take.id, query), download: '' },
    format.label,
    make('small', { textContent: format.suffix }),
  );
}

/** Return a link to the sound, which belongs beside the curves and which USD plays from there. */
function soundLink(take) {
  const suffix = make('small', { textContent: '.wav' });
  return make('a', { href: waveUrl(take.id), download: '' }, 'Sound beside them', suffix);
}

function drawFormats(menu, { sides, sources, session, heads, mix }) {
  const entries = shownSides({ sides }).flatMap(([key, { source, take, settings }]) =>
    take?.state === 'ready' ? [{ key, name: nameOf(source, sources), take, settings }] : [],
  );
  const groups = entries.map(({ key, name, take, settings }) => [
    make('p', { textContent: entries.length > 1 ? `${key}: ${name}` : name }),
    ...session.formats.map((format) =>
      formatLink(take, settings, format, { heads, rigmaps: session.rigmaps }),
    ),
    ...(take.has_sound ? [soundLink(take)] : []),
  ]);
  const note = make('p', {
    textContent: 'Solo and mute are for the eye: all curves are exported.',
  });
  const isMixed = mix.soloed.size > 0 || mix.muted.size > 0;
  menu.replaceChildren(
    ...groups.map((links) => make('div', {}, ...links)),
    ...(isMixed ? [note] : []),
  );
}

function followMenu(store) {
  const [button, menu] = [byId('export', 'button'), byId('formats')];
  const show = (isOpen) => {
    if (isOpen) drawFormats(menu, store.state);
    menu.hidden = !isOpen;
    button.setAttribute('aria-expanded', String(isOpen));
    if (isOpen) menu.querySelector('a')?.focus();
  };
  button.onclick = () => show(menu.hidden);
  menu.onclick = () => show(false);
  addEventListener(
    'pointerdown',
    (event) => menu.hidden || targetOf(event).closest('.menu') || show(false),
  );
  menu.parentElement?.addEventListener('keydown', (event) => {
    const links = [...menu.querySelectorAll('a')];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === 'Escape') {
      show(false);
      button.focus();
    } else if (step && links.length) {
      event.preventDefault();
      const at = links.findIndex((link) => link === document.activeElement);
      links.at((at + step) % links.length)?.focus();
    } else return;
    event.stopPropagation();
  });
}

/** @param {import('../state.js').Store} store @param {import('../takes.js').Takes} takes */
export function followBar(store, takes, player) {
  followMenu(store);
  byId('compare').onclick = () => takes.setCompare(!store.state.sides.B);
  for (const button of buttonsIn('modes')) {
    button.onclick = () => {
      player.pause();
      store.set({ mode: button.dataset.mode === 'live' ? 'live' : 'takes' });
    };
  }
  store.drawWith(draw);
}

function draw(state, before) {
  const { mode, sides, session, live, active, sources } = state;
  if (
    before &&
    mode === before.mode &&
    sides === before.sides &&
    active === before.active &&
    sources === before.sources &&
    live === before.live
  )
    return;
  const isTakes = mode === 'takes';
  const hasTake = shownSides(state).some(([, { take }]) => take);
  const stage = !isTakes ? 'live' : hasTake ? 'take' : 'empty';
  document.body.dataset.stage = stage;
  byId('modes').hidden = !session.live;
  for (const button of buttonsIn('modes')) press(button, button.dataset.mode === mode);
  byId('lamp').classList.toggle('is-on', !isSilent(live));
  byId('compare', 'button').disabled = !isTakes || !hasTake;
  press(byId('compare'), isTakes && sides.B);
  byId('export', 'button').disabled = !isTakes || !hasTake;
  byId('invitation').hidden =
    stage !== 'empty' || shownSides(state).some(([, { progress }]) => progress !== null);
  write(byId('title'), title(state, stage));
}

function title({ sides, sources, live }, stage) {
  if (stage === 'live') {
    const count = live?.subjects.length ?? 0;
    if (!live?.isOpen) return 'connecting to the daemon …';
    return count === 1 ? '1 subject' : `${count} subjects`;
  }
  const names = shownSides({ sides })
    .map(([, { source }]) => nameOf(source, sources))
    .filter(Boolean);
  return [...new Set(names)].join(' | ');
}
