/** The one clock of all faces: the sound's, or its own where a take has no sound. */
import { soundUrl } from './api.js';
import { duration, shownSides } from './state.js';

const END_S = 0.02; // so close to the end, play starts over
const LEAP_S = 0.1; // sound and page so far apart are set right at once

/** Time that runs by itself, for takes without a sound. */
class Silence {
  #at_s = 0;
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
  #anchor = { sound_s: -1, at_ms: 0 };
  #heard = null;

  /** @param {import('./state.js').Store} store @param {HTMLAudioElement} sound */
  constructor(store, sound) {
    this.store = store;
    this.sound = sound;
    sound.preservesPitch = true;
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
    this.#anchor.sound_s = -1;
    this.store.set({ time_s: at_s, posed: null });
  }

  get #clock() {
    return this.#heard ? this.sound : this.#silence;
  }

  #start() {
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
    const sound_s = this.#clock.currentTime;
    const at_ms = performance.now();
    if (!this.#heard || this.sound.paused || this.sound.seeking) return sound_s;
    const anchor = this.#anchor;
    const guess_s = anchor.sound_s + ((at_ms - anchor.at_ms) / 1000) * this.store.state.rate;
    if (anchor.sound_s !== sound_s && Math.abs(guess_s - sound_s) > LEAP_S) {
      this.#anchor = { sound_s, at_ms };
      return sound_s;
    }
    const time_s = Math.min(guess_s, sound_s + LEAP_S);
    this.#anchor = { sound_s: time_s + (sound_s - time_s) * 0.1, at_ms };
    return this.#anchor.sound_s;
  }

  #tick() {
    const { state } = this.store;
    if (!state.playing) return;
    const time_s = this.#now();
    const end_s = duration(state);
    const { loop } = state;
    if (loop && (time_s >= loop.end_s || time_s < loop.start_s - LEAP_S)) this.seek(loop.start_s);
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
