/** Steers the running bridge, and shows at once what it was asked for. */
import * as api from '../api.js';
import { Refusal } from '../api.js';

const SETTLE_MS = 50; // a slider that moves is sent no more often
const TRUST_MS = 700; // so long after the answer the page shows what it asked for, then the state

/** @typedef {import('../state.js').SubjectState} SubjectState */

/**
 * The subject that is steered, with what was just asked for; null while none is known.
 * @param {import('../state.js').State} state
 * @returns {?SubjectState}
 */
export function steered({ bridge, subject, wished }) {
  const known = bridge?.subjects.find(({ name }) => name === subject) ?? bridge?.subjects[0];
  if (!known) return null;
  const wish = wished.subject === known.name ? wished.patch : {};
  const levels = { ...known.levels, ...wish.levels };
  return { ...known, ...wish, levels };
}

/** The meters of the subject that is steered; null while there are none. */
export function metersOf(state) {
  const { bridge, meters } = state;
  const name = steered(state)?.name;
  const place = bridge?.subjects.findIndex((subject) => subject.name === name) ?? -1;
  return meters?.subjects[place] ?? null;
}

/** Sends what the page asks for, as little as a moving slider allows. */
export class Steering {
  #unsent = {};
  #timer = 0;
  #end = 0;
  #pending = 0;

  /** @param {import('../state.js').Store} store */
  constructor(store) {
    this.store = store;
  }

  /** Steer another subject from now on. @param {string} subject */
  choose(subject) {
    this.#flush();
    this.store.set({ subject, wished: { subject, patch: {} } });
  }

  /** Steer the subject after the present one. */
  chooseNext() {
    const names = this.store.state.bridge?.subjects.map(({ name }) => name) ?? [];
    const present = steered(this.store.state)?.name ?? '';
    if (names.length) this.choose(names[(names.indexOf(present) + 1) % names.length]);
  }

  /**
   * Change settings of the subject, by their field names; also its emotion and its levels.
   * @param {Partial<SubjectState> & {rigmaps?: any}} patch
   */
  change(patch) {
    const { state } = this.store;
    const subject = steered(state)?.name;
    if (!subject) return;
    const before = state.wished.subject === subject ? state.wished.patch : {};
    const merge = (one) => ({
      ...one,
      ...patch,
      ...(patch.levels && { levels: { ...one.levels, ...patch.levels } }),
    });
    this.#unsent = merge(this.#unsent);
    this.store.set({ wished: { subject, patch: merge(before) } });
    clearTimeout(this.#end);
    if (!this.#timer) this.#timer = setTimeout(() => this.#flush(), SETTLE_MS);
  }

  /** Send another rig map in place of a present one. */
  async changeRigMap(present, wanted) {
    const subject = steered(this.store.state)?.name;
    if (subject) await this.#ask(() => api.steer(subject, { rigmaps: { [present]: wanted } }));
  }

  /** Have the bridge do what a key does. */
  async press(key) {
    const subject = steered(this.store.state)?.name;
    this.#flush();
    if (subject) await this.#ask(() => api.pressKey(key, subject));
  }

  /** Start or end a take. @param {'start' | 'stop'} action */
  async record(action, name = {}) {
    await this.#ask(() => api.record({ action, ...name }));
  }

  async #flush() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const { subject } = this.store.state.wished;
    const wish = this.#unsent;
    this.#unsent = {};
    if (subject && Object.keys(wish).length) await this.#ask(() => api.steer(subject, wish));
  }

  async #ask(request) {
    this.#pending += 1;
    try {
      await request();
    } catch (error) {
      this.store.complain(...Refusal.problemsOf(error));
    }
    this.#pending -= 1;
    if (!this.#pending && !this.#timer) this.#trust();
  }

  #trust() {
    clearTimeout(this.#end);
    this.#end = setTimeout(
      () => this.store.set({ wished: { ...this.store.state.wished, patch: {} } }),
      TRUST_MS,
    );
  }
}
