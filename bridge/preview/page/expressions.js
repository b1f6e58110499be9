/** What a VRM file says of itself: its expressions, and which bones are head and eyes. */
import { VRM0_PRESETS, shapeKey } from './names.js';

const BONES = { head: 'head', leftEye: 'eyeLeft', rightEye: 'eyeRight' };

/** Whether the file is a VRM 0, whose figures look along -Z. */
export const isVrm0 = (json) => Boolean(json.extensions?.VRM);

/** Return [role, node index] of head and eyes. */
export function bones(json) {
  const { VRM: old, VRMC_vrm: current } = json.extensions ?? {};
  const found = old
    ? (old.humanoid?.humanBones ?? []).map(({ bone, node }) => [bone, node])
    : Object.entries(current?.humanoid?.humanBones ?? {}).map(([bone, { node }]) => [bone, node]);
  return found.filter(([bone]) => bone in BONES).map(([bone, node]) => [BONES[bone], node]);
}

function binds0(json) {
  const groups = json.extensions.VRM.blendShapeMaster?.blendShapeGroups ?? [];
  return groups.flatMap(({ presetName = '', name = '', binds = [] }) => {
    const key = shapeKey(VRM0_PRESETS[presetName.toLowerCase()] ?? name);
    return binds.map(({ mesh, index, weight }) => ({ key, mesh, index, weight: weight / 100 }));
  });
}

function binds1(json) {
  const { preset = {}, custom = {} } = json.extensions?.VRMC_vrm?.expressions ?? {};
  return Object.entries({ ...custom, ...preset }).flatMap(([name, { morphTargetBinds = [] }]) =>
    morphTargetBinds.map(({ node, index, weight }) => ({
      key: shapeKey(name),
      mesh: json.nodes[node]?.mesh,
      index,
      weight,
    })),
  );
}

/**
 * Return what each expression moves: its key, the index of the mesh and of the shape in the file,
 * and how far at weight 1.
 */
export const expressions = (json) => (isVrm0(json) ? binds0(json) : binds1(json));
