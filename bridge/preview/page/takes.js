/** Opens recordings and takes, and has takes made whenever a setting asks for another. */
import * as api from './api.js';
import { Refusal } from './api.js';
import { curvesOf } from './moving.js';
import { opened } from './opening.js';
import { SIDES, duration, emptySide, shownSides } from './state.js';

const POLL_MS = 150;
const SETTLE_MS = 250; // a slider rests so long before a take is made

const pause = (time_ms) => new Promise((resolve) => setTimeout(resolve, time_ms));

/** The settings that make another take. */
const makingSettings = ({ settings }) => [
  'emotion',
  'intensity',
  'levels',
  ...Object.keys(settings),
];

/** What a take would be made with, to tell whether two are the same. */
const wish = (settings, session) =>
  JSON.stringify(makingSettings(session).map((name) => settings[name]));

/** The numbers of the table of settings in the settings of a take. */
const numbersOf = (settings, session) =>
  Object.fromEntries(Object.keys(session.settings).map((name) => [name, settings[name]]));

/** All that leads from files and settings to the curves that the sides show. */
export class Takes {
  #turns = { A: 0, B: 0 };
  #timers = {};
  #made = new Set();

  /** @param {import('./state.js').Store} store @param {import('./headlibrary.js').HeadLibrary} library */
  constructor(store, library) {
    this.store = store;
    this.library = library;
    globalThis.addEventListener(
      'pagehide',
      ({ persisted }) => persisted || this.#made.forEach((id) => api.remove(id)),
    );
  }

  /** Show what the command line named, and compare where it asked for that. */
  async begin() {
    const { takes, compare } = this.store.state.session;
    const sources = takes.map(({ id, name, folder, recording }) => ({
      key: id,
      name,
      folder,
      recording,
      take: id,
    }));
    this.store.set({ sources });
    const shown = compare.length ? compare : takes.slice(0, 1).map(({ id }) => id);
    if (shown.length > 1) this.setCompare(true);
    this.store.set({ active: 'A' });
    await Promise.all(
      shown.slice(0, 2).map((id, i) =>
        this.show(
          SIDES[i],
          sources.find(({ take }) => take === id),
        ),
      ),
    );
  }

  /** Send sounds and takes to the server, and show the first of them. @param {File[]} files */
  async open(files) {
    const { state } = this.store;
    const toShow = state.active;
    let isFirst = true;
    for (const file of files) {
      const source = await opened(this.store, file);
      if (!source) continue;
      this.store.set({ mode: 'takes', sources: [...this.store.state.sources, source] });
      if (isFirst) this.show(toShow, source);
      isFirst = false;
    }
  }

  /** Show a source on a side, from its start. */
  async show(key, source) {
    if (!source) return;
    const side = this.store.state.sides[key];
    if (!side) return;
    const isNew = side.source?.key !== source.key;
    this.store.setSide(key, { source });
    await this.#work(key, () => (source.take ? { id: source.take } : this.#generate(key)), isNew);
  }

  /** Change settings of a side; what it shows follows. */
  change(key, patch) {
    const side = this.store.state.sides[key];
    const settings = { ...side.settings, ...patch };
    this.store.setSide(key, { settings });
    if (!side.source) return;
    const making = makingSettings(this.store.state.session);
    if (making.some((name) => name in patch && side.source.recording)) {
      clearTimeout(this.#timers[key]);
      this.#timers[key] = setTimeout(() => this.#work(key, () => this.#generate(key)), SETTLE_MS);
    } else if (('rigmap' in patch || 'head' in patch) && side.take) {
      this.#work(key, () => ({ id: side.take.id }));
    }
  }

  /** Show one face, or two on one clock; the second begins as a copy of the first. */
  setCompare(isOn) {
    const { sides, session } = this.store.state;
    if (isOn === Boolean(sides.B)) return;
    const old = sides.B?.take;
    const B = isOn ? { ...(sides.A ?? emptySide(session)), progress: null } : null;
    this.store.set({ sides: { ...sides, B }, active: isOn ? 'B' : 'A' });
    this.#turns.B += 1;
    this.#forget(old);
  }

  /** The settings that a take of the server was made with. */
  #settingsOf(take) {
    const { session } = this.store.state;
    const [name = session.emotions[0], intensity = 1] =
      Object.entries(take.emotion ?? {}).find(([, weight]) => weight > 0) ?? [];
    return { emotion: name, intensity, levels: take.levels, ...numbersOf(take, session) };
  }

  /** Have a take made, or take over that of the other side if it was made the same way. */
  async #generate(key) {
    const { sides, session } = this.store.state;
    const { source, settings } = sides[key];
    const wanted = wish(settings, session);
    for (const [other, { take, progress }] of shownSides(this.store.state)) {
      const isSame = other !== key && take?.recording === source.recording && progress === null;
      if (isSame && take && wish(this.#settingsOf(take), session) === wanted) return take;
    }
    const take = await api.generate({
      recording: source.recording,
      emotion: { [settings.emotion]: settings.intensity },
      levels: settings.levels,
      ...numbersOf(settings, session),
    });
    this.#made.add(take.id);
    return take;
  }

  /** Wait for a take and show it, unless something newer was asked of this side meanwhile. */
  async #work(key, ask, isNew = false) {
    const turn = ++this.#turns[key];
    const isPast = () => turn !== this.#turns[key];
    this.store.setSide(key, { progress: 0 });
    try {
      const take = await this.#finished(
        (await ask()).id,
        (part) => !isPast() && this.store.setSide(key, { progress: part }),
        isPast,
      );
      const shown = isPast() ? null : await curvesOf(this.store.state, key, take, this.library);
      if (isPast()) return this.#forget(take);
      this.#present(key, take, shown, isNew);
    } catch (error) {
      if (!isPast()) {
        this.store.setSide(key, { progress: null });
        this.store.complain(...Refusal.problemsOf(error));
      }
    }
    return undefined;
  }

  #present(key, take, shown, isNew) {
    const { take: old } = this.store.state.sides[key];
    const { settings } = this.store.state.sides[key];
    const made = isNew ? { ...settings, ...this.#settingsOf(take) } : settings;
    this.store.setSide(key, { take, settings: made, progress: null, ...shown });
    const end_s = duration(this.store.state);
    const { range, time_s } = this.store.state;
    if (isNew || range.end_s > end_s) this.store.set({ range: { start_s: 0, end_s }, loop: null });
    if ((isNew && !this.store.state.sides.B) || time_s > end_s) this.store.set({ time_s: 0 });
    if (old?.id !== take.id) this.#forget(old);
  }

  async #finished(id, onProgress, isPast) {
    for (;;) {
      const take = await api.take(id);
      if (take.state === 'failed') throw new Refusal(...take.problems);
      if (take.state === 'ready' || isPast()) return take;
      onProgress(take.progress);
      await pause(POLL_MS);
    }
  }

  /** Give back a take that was made here and is shown no more. */
  #forget(take) {
    if (!take || !this.#made.has(take.id)) return;
    if (shownSides(this.store.state).some(([, side]) => side.take?.id === take.id)) return;
    this.#made.delete(take.id);
    api.remove(take.id);
  }
}
