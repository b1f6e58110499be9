/** Heads from GLB and VRM files: read, checked, and made ready to be posed. */
import { GLTFLoader, Group } from './vendor/three.js';
import { Refusal } from './api.js';
import { bones, expressions, isVrm0 } from './expressions.js';
import { Figure } from './figure.js';
import { headBox, mouthBox } from './framing.js';
import { nodeRole, shapeKey } from './names.js';

/** A head file at most; larger ones are film assets that no browser moves at display rate. */
const MAX_HEAD_BYTES = 64 * 2 ** 20;

const MAGIC = 0x46546c67; // "glTF"
const JSON_CHUNK = 0x4e4f534a; // "JSON"
const UNREAD = { KHR_draco_mesh_compression: 'Draco', KHR_texture_basisu: 'KTX2 textures' };
const PIVOT = 0.25; // height of the neck's pivot in a model without a head node, from its foot

const refuse = (where, what, remedy) => {
  throw new Refusal({ where, what, remedy });
};

/** Return the JSON part of a GLB. @param {ArrayBuffer} data @param {string} name of the file */
function description(data, name) {
  const view = new DataView(data);
  const isGlb =
    data.byteLength >= 20 &&
    view.getUint32(0, true) === MAGIC &&
    view.getUint32(16, true) === JSON_CHUNK;
  if (!isGlb)
    refuse(name, 'this is no GLB or VRM file', 'export the head as one binary glTF file (.glb)');
  try {
    return JSON.parse(new TextDecoder().decode(new Uint8Array(data, 20, view.getUint32(12, true))));
  } catch {
    return refuse(name, 'the file is damaged or cut off', 'export it again');
  }
}

async function parsed(data, json, name) {
  const loader = new GLTFLoader();
  const used = json.extensionsUsed ?? [];
  const unread = Object.keys(UNREAD).filter((extension) =>
    (json.extensionsRequired ?? []).includes(extension),
  );
  if (unread.length) {
    refuse(
      name,
      `it needs ${unread.map((key) => UNREAD[key]).join(' and ')}, which this page cannot read`,
      'export it without that compression',
    );
  }
  if (used.some((extension) => extension.endsWith('_meshopt_compression'))) {
    loader.setMeshoptDecoder((await import('./vendor/meshopt.js')).MeshoptDecoder);
  }
  try {
    return await loader.parseAsync(data, '');
  } catch (error) {
    return refuse(
      name,
      `it cannot be read: ${error instanceof Error ? error.message : error}`,
      'check it with the glTF validator and export it again',
    );
  }
}

/** Note on each mesh which curves move which of its shapes. */
function nameShapes(gltf, json) {
  const list = expressions(json);
  const meshes = [];
  gltf.scene.traverse((node) => {
    node.frustumCulled = false;
    if (!node.isMesh || !node.morphTargetInfluences) return;
    const own = Object.entries(node.morphTargetDictionary ?? {}).map(([name, index]) => [
      shapeKey(name),
      index,
      1,
    ]);
    const of = gltf.parser.associations.get(node)?.meshes;
    const bound = list.filter(
      ({ mesh, index }) => mesh === of && index in node.morphTargetInfluences,
    );
    node.userData.shapes = [...own, ...bound.map(({ key, index, weight }) => [key, index, weight])];
    meshes.push(node);
  });
  return meshes;
}

/** Note which nodes are head and eyes. A head that does not carry all of the face is none. */
function nameRoles(gltf, json, meshes) {
  const byBone = new Map(bones(json).map(([role, index]) => [index, role]));
  const taken = new Set();
  const carriesFace = (node) =>
    node.isBone ||
    meshes.every((mesh) => {
      for (let up = mesh; up; up = up.parent) if (up === node) return true;
      return false;
    });
  gltf.scene.traverse((node) => {
    const index = gltf.parser.associations.get(node)?.nodes;
    const role = byBone.size ? byBone.get(index) : nodeRole(node.userData.name ?? node.name);
    if (!role || taken.has(role) || (role === 'head' && !carriesFace(node))) return;
    node.userData.role = role;
    taken.add(role);
  });
  return taken;
}

/** Give a model without a head node one, about the foot of its neck. */
function withNeck(scene, box) {
  const head = new Group();
  head.userData.role = 'head';
  head.position.set(
    (box.min.x + box.max.x) / 2,
    box.min.y + PIVOT * (box.max.y - box.min.y),
    (box.min.z + box.max.z) / 2,
  );
  scene.position.sub(head.position);
  head.add(scene);
  return new Group().add(head);
}

/**
 * Make a figure of a file.
 * @param {Blob} file
 * @param {string} name of the file, for the user
 * @param {string[]} known curves, of which it must have at least one
 * @throws {Refusal}
 */
export async function readHead(file, name, known) {
  if (file.size > MAX_HEAD_BYTES) {
    const size = `the head is ${Math.ceil(file.size / 2 ** 20)} MB large`;
    refuse(
      name,
      `${size}; the limit is ${MAX_HEAD_BYTES / 2 ** 20} MB`,
      'export the head alone, with smaller textures',
    );
  }
  const data = await file.arrayBuffer();
  const json = description(data, name);
  const gltf = await parsed(data, json, name);
  if (isVrm0(json)) gltf.scene.rotation.y = Math.PI;
  const meshes = nameShapes(gltf, json);
  const box = headBox(gltf.scene, meshes);
  const roles = nameRoles(gltf, json, meshes);
  const figure = new Figure(
    roles.has('head') ? new Group().add(gltf.scene) : withNeck(gltf.scene, box),
    box,
    mouthBox(meshes, box),
  );
  if (!figure.knownCount(known)) {
    refuse(
      name,
      'the head has none of the shapes a face moves by',
      'name its shapes as ARKit does (jawOpen, eyeBlinkLeft ...), or give a VRM with expressions',
    );
  }
  return figure;
}

/** Give back what a figure holds on the graphics card. */
export function release(figure) {
  figure.model.traverse(({ geometry, material }) => {
    geometry?.dispose();
    for (const each of [material ?? []].flat()) {
      for (const value of Object.values(each)) if (value?.isTexture) value.dispose();
      each.dispose();
    }
  });
}
