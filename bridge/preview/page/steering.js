/** Tells the subjects of a running bridge what to feel, and follows what others tell them. */
import * as api from './api.js';
import { Refusal } from './api.js';
import { defaultNumbers, usualLevels } from './state.js';

const FOLLOW_MS = 2000; // between two looks at what keys, timelines and remote control have told
const SETTLE_MS = 60; // a slider that moves is told of no more often

/** What the settings show of a subject that was never told anything. */
const untold = (session) => ({
  emotion: session.emotions[0],
  intensity: 1,
  ...defaultNumbers(session),
  levels: usualLevels(session),
});

/** Return the settings of a subject as the server describes it: its strongest emotion counts. */
function settingsOf({ emotion, intensity, ...others }, session) {
  const [strongest, weight] = Object.entries(emotion).sort(([, a], [, b]) => b - a)[0] ?? [];
  const told = strongest ? { emotion: strongest, intensity: weight * intensity } : {};
  return { ...untold(session), ...told, ...others };
}

/** Keeps `state.steered`, {name, settings} of each subject, and `state.subject`, who is told. */
export class Steering {
  #timer = 0;
  #untold = {};
  #isTelling = false;

  /** @param {import('./state.js').Store} store */
  constructor(store) {
    this.store = store;
  }

  /** Follow what the subjects are told, as long as the page shows them. */
  start() {
    const follow = () => this.#follow().finally(() => setTimeout(follow, FOLLOW_MS));
    follow();
  }

  /** Tell another subject from now on. */
  choose(subject) {
    this.#untold = {};
    clearTimeout(this.#timer);
    this.store.set({ subject });
  }

  /** Change settings of the subject; its face follows. */
  change(patch) {
    const { steered, subject } = this.store.state;
    const chosen = steered.find(({ name }) => name === subject);
    if (!chosen) return;
    const settings = { ...chosen.settings, ...patch };
    this.#show({ name: subject, settings });
    clearTimeout(this.#timer);
    this.#isTelling = true;
    this.#untold = { ...this.#untold, ...patch };
    this.#timer = setTimeout(() => this.#tell(subject, settings), SETTLE_MS);
  }

  async #tell(name, { emotion, intensity }) {
    const { emotion: chosen, intensity: set, ...wish } = this.#untold;
    if (chosen !== undefined || set !== undefined)
      Object.assign(wish, { emotion: { [emotion]: intensity }, intensity: 1 });
    this.#untold = {};
    try {
      await api.tell(name, wish);
    } catch (error) {
      this.store.complain(...Refusal.problemsOf(error));
    }
    this.#isTelling = false;
  }

  async #follow() {
    if (this.store.state.mode !== 'live' || this.#isTelling) return;
    try {
      const told = await api.subjects();
      if (this.#isTelling) return;
      const { session, subject } = this.store.state;
      const steered = told.map((one) => ({ name: one.name, settings: settingsOf(one, session) }));
      this.store.set({ steered, subject: subject ?? steered[0]?.name ?? null });
    } catch {
      /* the bridge is away: the live faces say so */
    }
  }

  #show(changed) {
    const { steered } = this.store.state;
    this.store.set({ steered: steered.map((one) => (one.name === changed.name ? changed : one)) });
  }
}

/** The settings that are shown: of the subject that is told, or of the active side. */
export function shownSettings({ mode, steered, subject, sides, active, session }) {
  if (mode !== 'live') return sides[active].settings;
  const told = steered.find(({ name }) => name === subject)?.settings;
  return { ...sides[active].settings, ...(told ?? untold(session)) };
}

/** The parts of a face that move by themselves: those of which nothing is left when it is off. */
const ownParts = ({ levels }) =>
  Object.entries(levels).filter(([, part]) => part.off !== part.default);

/** Whether anything of a face moves by itself. */
export const isAlive = (levels, session) =>
  ownParts(session).some(([name, { off }]) => levels[name] > off);

/** The levels of a living face with its life off, of a still one with its life as it is made. */
export function switched(levels, session) {
  const key = isAlive(levels, session) ? 'off' : 'default';
  const changed = ownParts(session).map(([name, part]) => [name, part[key]]);
  return { ...levels, ...Object.fromEntries(changed) };
}
