/** The smooth time of a sound: browsers tell it in coarse steps, and begin to play late. */

const LEAP_S = 0.1; // sound and face so far apart are set right at once
const PULL = 0.1; // part of a smaller distance that each display frame takes away

/** Tells the time to show from the time that the browser tells, both in seconds of the sound. */
export class SoundTime {
  /** @type {?{time_s: number, now_ms: number, rests: boolean}} */
  #last = null;

  /** Forget what was shown: the sound begins, or was sought. */
  reset() {
    this.#last = null;
  }

  /**
   * Return the time to show at a display frame. It rests until the sound moves, waits for a sound
   * that falters, and goes back only where the sound itself goes back by a leap.
   * @param {number} sound_s what the browser tells
   * @param {number} now_ms the time of the display frame
   * @param {number} rate how fast the sound plays, 1 as it was spoken
   */
  at(sound_s, now_ms, rate) {
    const last = this.#last;
    const rests = !last || (last.rests && sound_s === last.time_s);
    const time_s = rests ? sound_s : SoundTime.#next(last, sound_s, now_ms, rate);
    this.#last = { time_s, now_ms, rests };
    return time_s;
  }

  static #next(last, sound_s, now_ms, rate) {
    const guess_s = last.time_s + ((now_ms - last.now_ms) / 1000) * rate;
    const ahead_s = guess_s - sound_s;
    const time_s = Math.abs(ahead_s) > LEAP_S ? sound_s : guess_s - PULL * ahead_s;
    return last.time_s - time_s > LEAP_S ? time_s : Math.max(time_s, last.time_s);
  }
}
