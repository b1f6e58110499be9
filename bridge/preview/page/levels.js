/** Levels of the parts of a face, and one switch for all that moves by itself. */

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
