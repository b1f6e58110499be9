/** Which curves are shown of a take, and which of them move the head. */
import * as api from './api.js';
import { Curves } from './curves.js';

/** The targets whose curves are shapes of heads, the richest first. */
const FACE_TARGETS = ['livelinkface61', 'vrm'];

const namesOf = ({ curves }) => curves.map(({ name }) => name);

/** Return the rig maps for faces, one for each target. */
export function faceMaps({ rigmaps }) {
  return FACE_TARGETS.flatMap((target) =>
    rigmaps.filter((map) => map.target === target).slice(0, 1),
  );
}

/** Return the names of all curves of which a head may know some. */
export const faceCurves = (session) => faceMaps(session).flatMap(namesOf);

/**
 * Return the chosen rig map if it moves the head, else one for faces that does: the raw curves of
 * a MetaHuman, for one, are no shapes of any head here. `figure` is null where it did not load.
 */
export function movingMap(session, figure, chosen) {
  const maps = [chosen, ...faceMaps(session)].filter(Boolean);
  return maps.find((map) => figure?.knownCount(namesOf(map)) > 0) ?? maps[0];
}

/** Return the curves, of those that should move the head, which move nothing of it. */
export const missingShapes = (session, figure) =>
  figure.missing(namesOf(movingMap(session, figure)));

/**
 * Fetch what a side shows of a take: the `lanes` under its rig map, and the curves that move its
 * `face`, which are the same where that rig map moves it. What the side has already is kept.
 * @param state of the page
 * @param {string} key of the side
 * @param take
 * @param {import('./headlibrary.js').HeadLibrary} library
 */
export async function curvesOf({ sides, session, heads }, key, take, library) {
  const { settings, take: old, lanes: oldLanes, face: oldFace } = sides[key];
  const held = old?.id === take.id ? [oldLanes, oldFace].filter(Boolean) : [];
  const load = async (rigmap) =>
    held.find((curves) => curves.rigmap === rigmap) ??
    Curves.from(rigmap, await api.curves(take.id, rigmap.name));
  const chosen = session.rigmaps.find(({ name }) => name === settings.rigmap);
  const figure = await library
    .figure(heads.find(({ id }) => id === settings.head))
    .catch(() => null);
  const moving = movingMap(session, figure, chosen);
  const lanes = await load(chosen);
  return { lanes, face: moving === chosen ? lanes : await load(moving) };
}
