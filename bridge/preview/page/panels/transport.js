/** The buttons that play. */
import { buttonsIn, byId, clockText, press, write } from '../elements.js';
import { duration } from '../state.js';

/** @param {{store, player, timeline}} page */
export function followTransport({ store, player, timeline }) {
  const step = (rows) => {
    const { state } = store;
    const rate_hz = state.sides[state.active].take?.rate_hz ?? 50;
    player.pause();
    player.seek((Math.round(state.time_s * rate_hz) + rows) / rate_hz);
  };
  const deeds = {
    start: () => player.seek(0),
    back: () => step(-1),
    play: () => player.toggle(),
    forward: () => step(1),
    loop: () => store.set({ loop: store.state.loop ? null : { ...store.state.range } }),
    'zoom-in': () => timeline.zoom(1 / 1.5),
    'zoom-out': () => timeline.zoom(1.5),
    fit: () => timeline.fit(),
  };
  for (const [id, deed] of Object.entries(deeds)) byId(id).onclick = deed;
  for (const button of buttonsIn('rates'))
    button.onclick = () => store.set({ rate: Number(button.dataset.rate) });
  store.drawWith(draw);
}

function draw(state, before) {
  const fields = ['playing', 'rate', 'loop', 'sides'];
  if (before && fields.every((name) => state[name] === before[name])) return;
  byId('play').classList.toggle('is-playing', state.playing);
  byId('play').setAttribute('aria-label', state.playing ? 'Pause' : 'Play');
  for (const button of buttonsIn('rates'))
    press(button, Number(button.dataset.rate) === state.rate);
  press(byId('loop'), state.loop);
  write(byId('length'), ` / ${clockText(duration(state))}`);
  write(
    byId('loop-range'),
    state.loop ? `${clockText(state.loop.start_s)} – ${clockText(state.loop.end_s)}` : '',
  );
}
