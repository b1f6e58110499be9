/** The one clock of all faces: the sound's, or its own where a take has no sound. */
import { soundUrl } from './api.js';
import { SoundTime } from './soundtime.js';
import { duration, shownSides } from './state.js';
import { keepAwake } from './waking.js';

const END_S = 0.02; // so close to the end, play starts over
const SLACK_S = 0.1; // so far before its loop, play goes to the loop's start

/** Time that runs by itself, for takes without a sound. */
class Silence {
  #at_s = 0;
  /** @type {?number} */
  #since_ms = null;
  playbackRate = 1;

  get currentTime() {
    if (this.#since_ms === null) return this.#at_s;
    return this.#at_s + ((performance.now() - this.#since_ms) / 1000) * this.playbackRate;
  }

  set currentTime(time_s) {
    this.#at_s = time_s;
    if (this.#since_ms !== null) this.#since_ms = performance.now();
  }

  async play() {
    this.#since_ms = performance.now();
  }

  pause() {
    this.#at_s = this.currentTime;
    this.#since_ms = null;
  }
}

/** Plays, and writes the time into the state at each display frame. */
export class Player {
  #silence = new Silence();
  #soundTime = new SoundTime();
  /** @type {?string} the id of the recording or take whose sound is played */
  #heard = null;

  /** @param {import('./state.js').Store} store @param {HTMLAudioElement} sound */
  constructor(store, sound) {
    this.store = store;
    this.sound = sound;
    sound.preservesPitch = true;
    keepAwake(sound);
    store.drawWith((state, before) => this.#follow(state, before));
  }

  toggle() {
    if (this.store.state.playing) this.pause();
    else this.play();
  }

  play() {
    const { state } = this.store;
    const end_s = duration(state);
    if (!end_s || state.playing) return;
    if (state.time_s >= end_s - END_S) this.seek(state.loop?.start_s ?? 0);
    this.store.set({ playing: true, posed: null });
    this.#start();
    requestAnimationFrame(() => this.#tick());
  }

  pause() {
    this.#clock.pause();
    this.store.set({ playing: false });
  }

  /** Go to a time; one before or behind the take is its start or end. */
  seek(time_s) {
    const at_s = Math.min(Math.max(time_s, 0), duration(this.store.state));
    this.#clock.currentTime = at_s;
    this.#soundTime.reset();
    this.store.set({ time_s: at_s, posed: null });
  }

  get #clock() {
    return this.#heard ? this.sound : this.#silence;
  }

  #start() {
    this.#soundTime.reset();
    this.#clock.playbackRate = this.store.state.rate;
    this.#clock.play().catch((error) => {
      if (error.name === 'AbortError') return;
      this.pause();
      this.store.complain({
        where: 'sound',
        what: `the browser does not play it: ${error.message}`,
        remedy: 'click once into the page and press play again',
      });
    });
  }

  /** The clock's time; a sound's coarse steps are filled in by the display's clock. */
  #now() {
    const time_s = this.#clock.currentTime;
    if (!this.#heard || this.sound.paused || this.sound.seeking) return time_s;
    return this.#soundTime.at(time_s, performance.now(), this.store.state.rate);
  }

  #tick() {
    const { state } = this.store;
    if (!state.playing) return;
    const time_s = this.#now();
    const end_s = duration(state);
    const { loop } = state;
    if (loop && (time_s >= loop.end_s || time_s < loop.start_s - SLACK_S)) this.seek(loop.start_s);
    else if (time_s >= end_s || (this.#heard && this.sound.ended)) {
      this.pause();
      this.store.set({ time_s: end_s });
    } else this.store.set({ time_s: Math.max(time_s, 0) });
    this.store.flush();
    requestAnimationFrame(() => this.#tick());
  }

  /** Take the sound of the active side; the same recording under another take goes on playing. */
  #follow(state, before) {
    if (before && state.rate !== before.rate) this.#clock.playbackRate = state.rate;
    if (before && state.sides === before.sides && state.active === before.active) return;
    const [, side] = shownSides(state).find(([key]) => key === state.active) ?? [];
    const take = side?.take?.has_sound ? side.take : null;
    const heard = take && (take.recording ?? take.id);
    if (heard === this.#heard) return;
    this.#clock.pause();
    this.#heard = heard;
    if (take) {
      this.sound.src = soundUrl(take.id);
      this.sound.playbackRate = state.rate;
    }
    this.seek(state.time_s);
    if (state.playing) this.#start();
  }
}
