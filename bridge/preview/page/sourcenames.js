/** Names that tell the sources of the page apart: as short as they can be. Pure functions. */

/** The last folders of a source and its name: `before/line`. */
function tail({ folder, name }, depth) {
  const folders = folder.split('/').filter(Boolean);
  return [...folders.slice(Math.max(folders.length - depth, 0)), name].join('/');
}

/** Names for sources of one name: with folders as far as these differ, then with numbers. */
function distinct(sources) {
  const deepest = Math.max(...sources.map(({ folder }) => folder.split('/').length));
  const depths = Array.from({ length: deepest + 1 }, (_, depth) => depth);
  const counts = depths.map((depth) => new Set(sources.map((one) => tail(one, depth))).size);
  const depth = counts.indexOf(Math.max(...counts));
  /** @type {Map<string, number>} */
  const seen = new Map();
  return sources.map((source) => {
    const name = tail(source, depth);
    const number = (seen.get(name) ?? 0) + 1;
    seen.set(name, number);
    return number > 1 ? `${name} (${number})` : name;
  });
}

/**
 * Return what each source is called on the page, by key.
 * @param {import('./state.js').Source[]} sources
 * @returns {Map<string, string>}
 */
export function sourceNames(sources) {
  /** @type {Map<string, string>} */
  const found = new Map();
  for (const name of new Set(sources.map((source) => source.name))) {
    const group = sources.filter((source) => source.name === name);
    const names = distinct(group);
    group.forEach(({ key }, i) => found.set(key, names[i]));
  }
  return found;
}

/** Return what the source of a side is called on the page; nothing without one. */
export const nameOf = (source, sources) =>
  source ? (sourceNames(sources).get(source.key) ?? source.name) : '';
