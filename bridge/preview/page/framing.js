/** Where head and mouth are in a model of any unit, so that a camera can be put before it. */
import { Box3, Vector3 } from './vendor/three.js';

const MOVED = 0.2; // of the largest movement of any shape: what moves less is not the face
const CROWN = 0.45; // head above what moves, in heights of what moves
const HAIR = 0.9; // a model that ends below so much above is shown to its top
const CHIN = 0.12; // and below it
const CHEEK = 0.3; // and at each side, in widths

const PURSED = [
  ['mouthpucker', 'mouthfunnel'],
  ['ou', 'oh'],
  ['aa', 'jawopen'],
]; // shapes of lips
const LIPS = 0.35; // of their largest movement: what moves less is not the lips
const [BESIDE, ABOVE, BELOW] = [0.14, 0.12, 0.3]; // seen around them, in their widths

const point = new Vector3();
const delta = new Vector3();

/** How far the shapes of a mesh move a vertex at most, in the mesh's own unit. */
function reach(shapes, vertex) {
  let farthest = 0;
  for (const shape of shapes) {
    farthest = Math.max(farthest, delta.fromBufferAttribute(shape, vertex).lengthSq());
  }
  return Math.sqrt(farthest);
}

/** The morph targets of a mesh that curves of some keys move, or all. */
function targetsOf(mesh, keys) {
  const targets = mesh.geometry.morphAttributes.position;
  if (!keys) return targets;
  const wanted = mesh.userData.shapes.filter(([key]) => keys.includes(key));
  return wanted.map(([, index]) => targets[index]);
}

/**
 * Return the box around the vertices that the shapes, or those of some keys, move so far.
 * @param meshes
 * @param {number} share of the farthest movement
 * @param {?string[]} [keys]
 */
function movedBox(meshes, share, keys = null) {
  const reaches = meshes.map((mesh) => {
    const targets = targetsOf(mesh, keys);
    const scale = mesh.matrixWorld.getMaxScaleOnAxis();
    return Float32Array.from(
      { length: mesh.geometry.attributes.position.count },
      (_, i) => scale * reach(targets, i),
    );
  });
  const farthest = Math.max(...reaches.map((list) => list.reduce((a, b) => Math.max(a, b), 0)));
  const box = new Box3();
  meshes.forEach((mesh, k) => {
    reaches[k].forEach((far, i) => {
      if (far > share * farthest)
        box.expandByPoint(mesh.getVertexPosition(i, point).applyMatrix4(mesh.matrixWorld));
    });
  });
  return box;
}

/**
 * Return the box of the head in world coordinates.
 * @param object the whole model, at rest
 * @param meshes its meshes with shapes
 */
export function headBox(object, meshes) {
  object.updateMatrixWorld(true);
  const whole = new Box3().setFromObject(object, true);
  const face = movedBox(meshes, MOVED);
  if (face.isEmpty()) return whole;
  const size = face.getSize(new Vector3());
  const isTop = whole.max.y <= face.max.y + HAIR * size.y;
  face.max.y = isTop ? whole.max.y : face.max.y + CROWN * size.y;
  face.min.y -= CHIN * size.y;
  face.min.x -= CHEEK * size.x;
  face.max.x += CHEEK * size.x;
  face.min.z -= size.y;
  return face.intersect(whole);
}

/**
 * Return the box of the mouth in world coordinates: what moves most when lips are pursed, with
 * room for an open jaw. A head without such a shape has it in the lower half of its face.
 * @param meshes with shapes, whose `userData.shapes` tells which curve moves which
 * @param head the box of the head
 */
export function mouthBox(meshes, head) {
  const found = PURSED.map((keys) => movedBox(meshes, LIPS, keys)).find((box) => !box.isEmpty());
  const size = head.getSize(new Vector3());
  if (!found) {
    const centre = new Vector3(0, -0.24 * size.y, 0.4 * size.z).add(head.getCenter(new Vector3()));
    return new Box3().setFromCenterAndSize(centre, new Vector3(0.45 * size.x, 0.26 * size.y, 0));
  }
  const lips = found.getSize(new Vector3());
  found.min.x -= BESIDE * lips.x;
  found.max.x += BESIDE * lips.x;
  found.min.y -= BELOW * lips.x;
  found.max.y += ABOVE * lips.x;
  return found;
}

/**
 * Put a camera before a box, so that it fills the picture.
 * @param camera a PerspectiveCamera
 * @param box of a head or a mouth at rest
 * @param {number} aspect width by height of the picture
 * @param {{azimuth: number, elevation: number}} orbit radians from straight ahead
 * @param {any} [carried] the matrix that moved the box from its place at rest: the camera goes along
 */
export function aim(camera, box, aspect, { azimuth, elevation }, carried = null) {
  const size = box.getSize(new Vector3());
  const centre = box.getCenter(new Vector3());
  const half = Math.tan((camera.fov * Math.PI) / 360);
  const MARGIN = 1.06;
  const fit = (MARGIN * Math.max(size.y, size.x / aspect)) / (2 * half);
  const away = fit + 0.1 * size.z;
  camera.aspect = aspect;
  camera.near = away / 20;
  camera.far = away * 4;
  camera.position.set(
    centre.x + away * Math.sin(azimuth) * Math.cos(elevation),
    centre.y + away * Math.sin(elevation),
    centre.z + away * Math.cos(azimuth) * Math.cos(elevation),
  );
  camera.up.set(0, 1, 0);
  if (carried) {
    camera.up.transformDirection(carried);
    camera.position.applyMatrix4(carried);
    centre.applyMatrix4(carried);
  }
  camera.lookAt(centre);
  camera.updateProjectionMatrix();
  camera.updateMatrixWorld();
}
