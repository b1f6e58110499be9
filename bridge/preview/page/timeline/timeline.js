/** The time under the faces: ruler, sound and curves, with one playhead. */
import { byId, clockText, press, write } from '../elements.js';
import { duration } from '../state.js';
import { following, marks, panned, zoomed } from './axis.js';
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
  'onlyMoving',
  'highlight',
  'theme',
  'mode',
  'layout',
];

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
      collapse: (region) => this.#collapse(region),
      highlight: (highlight) => store.set({ highlight }),
    });
    byId('only-moving').onclick = () => store.set({ onlyMoving: !store.state.onlyMoving });
    new ResizeObserver(redraw).observe(this.root);
    followPointer(this);
    store.drawWith((state, before) => this.#draw(state, before));
  }

  /** The seconds under a place on the page. */
  timeAt(clientX) {
    const { left, width } = this.ruler.getBoundingClientRect();
    const { start_s, end_s } = this.store.state.range;
    return start_s + ((clientX - left) / Math.max(width, 1)) * (end_s - start_s);
  }

  /** Zoom in (factor < 1) or out about a time. */
  zoom(factor, at_s = this.store.state.time_s) {
    const { state } = this.store;
    this.store.set({ range: zoomed(state.range, at_s, factor, duration(state)) });
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

  #collapse(region) {
    const collapsed = new Set(this.store.state.collapsed);
    if (!collapsed.delete(region)) collapsed.add(region);
    this.store.set({ collapsed });
  }

  #draw(state, before) {
    const end_s = duration(state);
    if (!end_s || state.mode !== 'takes') return;
    const range = state.playing ? following(state.range, state.time_s, end_s) : state.range;
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
