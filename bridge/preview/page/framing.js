/** Where the head is in a model of any unit, so that a camera can be put before it. */
import { Box3, Vector3 } from './vendor/three.js';

const MOVED = 0.2; // of the largest movement of any shape: what moves less is not the face
const CROWN = 0.45; // head above what moves, in heights of what moves
const HAIR = 0.9; // a model that ends below so much above is shown to its top
const CHIN = 0.12; // and below it
const CHEEK = 0.3; // and at each side, in widths

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

/** Return the box around the vertices that the shapes move. */
function movedBox(meshes) {
  const reaches = meshes.map((mesh) => {
    const shapes = mesh.geometry.morphAttributes.position;
    const scale = mesh.matrixWorld.getMaxScaleOnAxis();
    return Float32Array.from(
      { length: mesh.geometry.attributes.position.count },
      (_, i) => scale * reach(shapes, i),
    );
  });
  const farthest = Math.max(...reaches.map((list) => list.reduce((a, b) => Math.max(a, b), 0)));
  const box = new Box3();
  meshes.forEach((mesh, k) => {
    reaches[k].forEach((far, i) => {
      if (far > MOVED * farthest)
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
  const face = movedBox(meshes);
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
 * Put a camera before a head, so that its box fills the picture.
 * @param camera a PerspectiveCamera
 * @param box of the head
 * @param {number} aspect width by height of the picture
 * @param {{azimuth: number, elevation: number}} orbit radians from straight ahead
 */
export function aim(camera, box, aspect, { azimuth, elevation }) {
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
  camera.lookAt(centre);
  camera.updateProjectionMatrix();
  camera.updateMatrixWorld();
}
