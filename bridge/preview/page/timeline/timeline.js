/** The time under the faces: ruler, sound and curves, with one playhead. */
import { byId, clockText, press, write } from '../elements.js';
import { mixCounts, noMix, toggled } from '../mixing.js';
import { duration, shownSides } from '../state.js';
import { following, marks, panned, revealing, zoomed } from './axis.js';
import { cleared, colour } from './canvas.js';
import { Lanes } from './lanes.js';
import { followPointer } from './pointer.js';
import { spectrogramTrack, waveformTrack } from './soundtracks.js';

const FIELDS = [
  'sides',
  'active',
  'range',
  'loop',
  'collapsed',
  'unfolded',
  'filter',
  'mix',
  'scrolled',
  'onlyMoving',
  'highlight',
  'theme',
  'mode',
  'layout',
];

/** Show how many curves are soloed and muted, where any are. */
function drawMix(state) {
  const faces = shownSides(state).map(([, { face }]) => face);
  const { soloed, muted } = mixCounts(faces, state.mix);
  byId('reset-mix').hidden = !soloed && !muted;
  const parts = [soloed && `${soloed} solo`, muted && `${muted} muted`].filter(Boolean);
  write(byId('mix-text'), parts.join(', '));
}

/** Return what is in view: it goes along with the playhead, and stays where the user left it. */
function rangeOf({ range, playing, time_s }, before, end_s) {
  if (playing) return following(range, time_s, end_s);
  return before && time_s !== before.time_s ? revealing(range, time_s, end_s) : range;
}

/** Draws the timeline and turns what the pointer does there into actions. */
export class Timeline {
  /** @param {import('../state.js').Store} store @param {import('../player.js').Player} player */
  constructor(store, player) {
    this.store = store;
    this.player = player;
    this.root = byId('timeline');
    this.ruler = byId('ruler', 'canvas');
    const redraw = () => store.set({ layout: {} });
    this.waveform = waveformTrack(redraw);
    this.spectrogram = spectrogramTrack(redraw);
    this.lanes = new Lanes(byId('lanes'), {
      collapse: (region) => this.#toggle('collapsed', region),
      unfold: (region) => this.#toggle('unfolded', region),
      highlight: (highlight) => store.set({ highlight }),
      solo: (names) => this.#mix('soloed', names),
      mute: (names) => this.#mix('muted', names),
    });
    byId('only-moving').onclick = () => store.set({ onlyMoving: !store.state.onlyMoving });
    byId('filter').oninput = () => store.set({ filter: byId('filter', 'input').value });
    byId('reset-mix').onclick = () => this.resetMix();
    new ResizeObserver(redraw).observe(this.root);
    addEventListener('scroll', () => store.set({ scrolled: {} }), { capture: true, passive: true });
    followPointer(this);
    store.drawWith((state, before) => this.#draw(state, before));
  }

  /** The seconds under a place on the page. */
  timeAt(clientX) {
    const { left, width } = this.ruler.getBoundingClientRect();
    const { start_s, end_s } = this.store.state.range;
    return start_s + ((clientX - left) / Math.max(width, 1)) * (end_s - start_s);
  }

  /** Zoom in (factor < 1) or out about a time; it comes to a place on the page, if one is named. */
  zoom(factor, at_s = this.store.state.time_s, clientX = null) {
    const { state } = this.store;
    const { left, width } = this.ruler.getBoundingClientRect();
    const part = clientX === null ? null : (clientX - left) / Math.max(width, 1);
    this.store.set({ range: zoomed(state.range, at_s, factor, duration(state), part) });
  }

  /** Move by a part of what is in view. */
  pan(part) {
    const { state } = this.store;
    const span_s = state.range.end_s - state.range.start_s;
    this.store.set({ range: panned(state.range, part * span_s, duration(state)) });
  }

  fit() {
    this.store.set({ range: { start_s: 0, end_s: Math.max(duration(this.store.state), 0.2) } });
  }

  /**
   * Solo or mute the curve, or all of the lane, that has the focus or else is under the pointer.
   * @param {'solo' | 'mute'} deed
   */
  mixHere(deed) {
    const focused = document.activeElement?.closest('[data-curve], .lane');
    const hovered = () =>
      this.root.querySelector('[data-curve]:hover') ?? this.root.querySelector('.lane:hover');
    const here = focused ?? hovered();
    const button = here?.querySelector(`[data-mix=${deed}]`);
    const name = here instanceof HTMLElement ? here.dataset.curve : undefined;
    if (name) this.#mix(deed === 'solo' ? 'soloed' : 'muted', [name]);
    else if (button instanceof HTMLButtonElement) button.click();
  }

  /** Let all curves move again. */
  resetMix() {
    this.store.set({ mix: noMix() });
  }

  #mix(kind, names) {
    const { mix } = this.store.state;
    this.store.set({ mix: { ...mix, [kind]: toggled(mix[kind], names) } });
  }

  #toggle(field, region) {
    this.store.set({ [field]: toggled(this.store.state[field], [region]) });
  }

  #draw(state, before) {
    const end_s = duration(state);
    if (!end_s || state.mode !== 'takes') return;
    const range = rangeOf(state, before, end_s);
    if (range !== state.range) this.store.set({ range });
    const isOther =
      !before || before.time_s === undefined || FIELDS.some((name) => state[name] !== before[name]);
    if (isOther || range !== state.range) this.#drawTracks(state, range);
    this.#drawHeads(state, range);
    if (isOther || state.time_s !== before.time_s || state.pointer_s !== before.pointer_s) {
      this.lanes.tell(state, state.pointer_s ?? state.time_s);
    }
  }

  #drawTracks(state, range) {
    press(byId('only-moving'), state.onlyMoving);
    drawMix(state);
    const { take } = state.sides[state.active];
    this.root.classList.toggle('has-sound', Boolean(take?.has_sound));
    if (take?.has_sound) {
      this.waveform(byId('waveform', 'canvas'), take, range);
      this.spectrogram(byId('spectrogram', 'canvas'), take, range);
    }
    this.#drawRuler(state, range);
    this.lanes.draw(state, range, state.theme === 'dark');
  }

  #drawRuler({ loop }, range) {
    const { context, width, height } = cleared(this.ruler);
    const x = (time_s) => ((time_s - range.start_s) / (range.end_s - range.start_s)) * width;
    if (loop) {
      context.fillStyle = colour('--loop');
      context.fillRect(x(loop.start_s), 0, x(loop.end_s) - x(loop.start_s), height);
    }
    context.font = `11px ${getComputedStyle(this.root).fontFamily}`;
    context.textBaseline = 'middle';
    for (const { time_s, label } of marks(range, width)) {
      context.fillStyle = colour(label ? '--faint-ink' : '--grid');
      context.fillRect(Math.round(x(time_s)), label ? height - 8 : height - 4, 1, 8);
      context.fillStyle = colour('--soft-ink');
      if (label) context.fillText(label, Math.round(x(time_s)) + 4, height / 2 - 1);
    }
  }

  /** Put playhead, pointer line and loop where they are; cheap enough for each display frame. */
  #drawHeads(state, range) {
    const { offsetLeft, clientWidth } = this.ruler;
    const put = (element, time_s) => {
      const isSeen = time_s !== null && time_s >= range.start_s && time_s <= range.end_s;
      element.hidden = !isSeen;
      if (!isSeen) return;
      const x =
        offsetLeft + ((time_s - range.start_s) / (range.end_s - range.start_s)) * clientWidth;
      element.style.transform = `translateX(${x.toFixed(2)}px)`;
    };
    put(byId('playhead'), state.time_s);
    put(byId('pointer-line'), state.pointer_s);
    this.ruler.setAttribute('aria-valuemax', duration(state).toFixed(3));
    this.ruler.setAttribute('aria-valuenow', state.time_s.toFixed(3));
    this.ruler.setAttribute('aria-valuetext', clockText(state.time_s));
    write(byId('clock'), clockText(state.time_s));
  }
}
