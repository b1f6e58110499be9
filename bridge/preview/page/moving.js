/** Which rig map's curves move a head. */

/** The targets whose curves are shapes of heads, the richest first. */
const FACE_TARGETS = ['livelinkface61', 'vrm'];

const namesOf = ({ curves }) => curves.map(({ name }) => name);

/** Return the rig maps for faces, one for each target. */
export function faceMaps({ rigmaps }) {
  return FACE_TARGETS.flatMap((target) => rigmaps.filter((map) => map.target === target).slice(0, 1));
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
export const missingShapes = (session, figure) => figure.missing(namesOf(movingMap(session, figure)));
