/** The heads that can be chosen: the server's, and files of the user, which stay in the browser. */
import { Refusal } from './api.js';
import { readHead, release } from './headfile.js';

const KEPT = 4; // heads held at once; the least recently asked for goes

/** Loads heads once and keeps the last few. */
export class HeadLibrary {
  #loaded = new Map();
  #files = new Map();

  /** @param {string[]} known curves of which a head must have one */
  constructor(known) {
    this.known = known;
  }

  /**
   * Add a file of the user.
   * @param {File} file
   * @returns its entry for `state.heads`, once it proved to be a head
   */
  async add(file) {
    const id = `file ${file.name}`;
    const figure = await readHead(file, file.name, this.known);
    this.#files.set(id, file);
    this.#keep(id, Promise.resolve(figure));
    return { id, name: file.name, url: null };
  }

  /** Return the figure of an entry of `state.heads`, at rest: show a twin of it. */
  figure(head) {
    const figure = this.#loaded.get(head.id) ?? this.#load(head);
    this.#keep(head.id, figure);
    return figure;
  }

  async #load({ id, name, url }) {
    if (this.#files.has(id)) return readHead(this.#files.get(id), name, this.known);
    const answer = await fetch(url).catch(() => null);
    if (!answer?.ok)
      throw new Refusal({
        where: name,
        what: 'the head could not be loaded',
        remedy: 'reload the page',
      });
    return readHead(await answer.blob(), name, this.known);
  }

  #keep(id, figure) {
    this.#loaded.delete(id);
    this.#loaded.set(id, figure);
    figure.catch(() => this.#loaded.delete(id));
    for (const [oldest, old] of this.#loaded) {
      if (this.#loaded.size <= KEPT) break;
      this.#loaded.delete(oldest);
      old.then(release, () => {});
    }
  }
}
