/** Names of shapes and nodes in heads of any origin. The same rules as `bridge/heads/mesh.py`. */

const PREFIX = /^.*[.:]/;
const MAYA = /^blendshapes?\d*_/i;
const SIDE = /_([LR])$/i;
const SIDES = { l: 'left', r: 'right' };

/**
 * Return what two spellings of one shape have in common: `blendShape1.eyeBlink_L` and
 * `EyeBlinkLeft` both give `eyeblinkleft`.
 * @param {string} name
 */
export function shapeKey(name) {
  return name
    .replace(PREFIX, '')
    .replace(MAYA, '')
    .replace(SIDE, (_, side) => SIDES[side.toLowerCase()])
    .toLowerCase();
}

/** The curves of head and gaze that turn nodes, by key. */
export const NODE_CURVES = new Set([
  'headyaw',
  'headpitch',
  'headroll',
  'lefteyeyaw',
  'lefteyepitch',
  'lefteyeroll',
  'righteyeyaw',
  'righteyepitch',
  'righteyeroll',
]);

const NODES = {
  head: ['head'],
  eyeLeft: ['eyeleft', 'lefteye'],
  eyeRight: ['eyeright', 'righteye'],
};

/** Return which of `head`, `eyeLeft` and `eyeRight` a node of this name is, or null. */
export function nodeRole(name) {
  const key = shapeKey(name);
  return Object.keys(NODES).find((role) => NODES[role].includes(key)) ?? null;
}

/** Presets of VRM 0 under their names of VRM 1. */
export const VRM0_PRESETS = {
  a: 'aa',
  i: 'ih',
  u: 'ou',
  e: 'ee',
  o: 'oh',
  blink: 'blink',
  blink_l: 'blinkLeft',
  blink_r: 'blinkRight',
  joy: 'happy',
  angry: 'angry',
  sorrow: 'sad',
  fun: 'relaxed',
  neutral: 'neutral',
  lookup: 'lookUp',
  lookdown: 'lookDown',
  lookleft: 'lookLeft',
  lookright: 'lookRight',
};
