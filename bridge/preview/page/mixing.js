/**
 * Solo and mute: which curves of a take the shown faces leave at rest. The takes themselves, and
 * what is exported of them, stay as they are. Pure functions.
 *
 * @typedef {{soloed: Set<string>, muted: Set<string>}} Mix names of curves
 */

/** No curve is soloed or muted. @returns {Mix} */
export const noMix = () => ({ soloed: new Set(), muted: new Set() });

/**
 * Return whether each of these curves rests: it is muted, or others are soloed and it is not.
 * Names that none of the curves has count for nothing, so that a rig map with others is whole.
 * @param {string[]} names
 * @param {Mix} mix
 */
export function resting(names, { soloed, muted }) {
  const hasSolo = names.some((name) => soloed.has(name));
  return names.map((name) => muted.has(name) || (hasSolo && !soloed.has(name)));
}

/**
 * Return values with 0 for each curve that rests.
 * @param {string[]} names
 * @param {Float32Array} values in the order of the names
 * @param {Mix} mix
 */
export function mixed(names, values, mix) {
  if (!mix.soloed.size && !mix.muted.size) return values;
  const rests = resting(names, mix);
  return values.map((value, i) => (rests[i] ? 0 : value));
}

/** Return a set with these names turned on, or off where all of them are on. */
export function toggled(set, names) {
  const isOff = names.some((name) => !set.has(name));
  const next = new Set(set);
  for (const name of names) {
    if (isOff) next.add(name);
    else next.delete(name);
  }
  return next;
}

/** Return how many curves of the faces shown are soloed, are muted, and rest. */
export function mixCounts(faces, mix) {
  const names = [...new Set(faces.flatMap((curves) => curves?.names ?? []))];
  return {
    soloed: names.filter((name) => mix.soloed.has(name)).length,
    muted: names.filter((name) => mix.muted.has(name)).length,
    resting: resting(names, mix).filter(Boolean).length,
    all: names.length,
  };
}
