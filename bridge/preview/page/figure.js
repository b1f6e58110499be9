/** A head as the page moves it: curves in, a posed model out. */
import { Euler, Group, Quaternion, cloneSkinned } from './vendor/three.js';
import { NODE_CURVES, shapeKey } from './names.js';

const LOOK_RAD = 0.5; // an eye's turn at weight 1 of a look curve

/** What turns an eye: curve, eye, to the subject's left, up. */
const LOOKS = [
  ['eyelookinleft', 'eyeLeft', -1, 0],
  ['eyelookoutleft', 'eyeLeft', 1, 0],
  ['eyelookupleft', 'eyeLeft', 0, 1],
  ['eyelookdownleft', 'eyeLeft', 0, -1],
  ['eyelookinright', 'eyeRight', 1, 0],
  ['eyelookoutright', 'eyeRight', -1, 0],
  ['eyelookupright', 'eyeRight', 0, 1],
  ['eyelookdownright', 'eyeRight', 0, -1],
  ...['eyeLeft', 'eyeRight'].flatMap((eye) => [
    ['lookleft', eye, 1, 0],
    ['lookright', eye, -1, 0],
    ['lookup', eye, 0, 1],
    ['lookdown', eye, 0, -1],
  ]),
];

/** A node that turns about the axes of the room, however its own axes lie. */
class Joint {
  #turn = new Quaternion();
  #angles = new Euler(0, 0, 0, 'YXZ');

  constructor(node) {
    this.node = node;
    this.rest = node.quaternion.clone();
    this.room = node.parent.getWorldQuaternion(new Quaternion());
    this.back = this.room.clone().invert();
    this.fromRest = node.matrixWorld.clone().invert();
  }

  /** Turn to the subject's left, up, and to its right shoulder, in radians. */
  turn(left, up, right) {
    this.#turn.setFromEuler(this.#angles.set(-up, left, right));
    this.node.quaternion
      .copy(this.back)
      .multiply(this.#turn)
      .multiply(this.room)
      .multiply(this.rest);
  }
}

/** One face that can be posed. */
export class Figure {
  #bound = new WeakMap();
  #carried = new Group().matrixWorld;

  /**
   * @param model an Object3D at rest; `userData.role` of its nodes is head, eyeLeft or eyeRight,
   *   `userData.shapes` of its meshes lists [key, index, weight]: which curve moves which shape
   * @param box of the head in the room
   * @param mouth box of the mouth
   */
  constructor(model, box, mouth) {
    this.model = model;
    this.box = box;
    this.mouth = mouth;
    this.root = new Group();
    this.root.add(model);
    this.root.updateMatrixWorld(true);
    this.shapes = new Map();
    this.joints = {};
    this.root.traverse((node) => this.#take(node));
  }

  /** Return which of these curves move nothing of this head. */
  missing(names) {
    return names.filter((name) => !this.#knows(shapeKey(name)) && !NODE_CURVES.has(shapeKey(name)));
  }

  /** Return how many of these curves move a shape or an eye. */
  knownCount(names) {
    return names.filter((name) => this.#knows(shapeKey(name))).length;
  }

  /**
   * Take the pose of some curves; what they do not move is at rest.
   * @param {string[]} names the same array each time, so that it is looked up once
   * @param {Float32Array | number[]} values in the order of the names
   */
  pose(names, values) {
    if (!this.#bound.has(names)) this.#bound.set(names, this.#bind(names));
    const { targets, head, looks } = this.#bound.get(names);
    for (const list of this.shapes.values()) {
      for (const [influences, index] of list) influences[index] = 0;
    }
    for (const [i, influences, index, weight] of targets) influences[index] += weight * values[i];
    this.joints.head?.turn(...head.map((i) => (i < 0 ? 0 : values[i])));
    for (const eye of ['eyeLeft', 'eyeRight']) {
      let [left, up] = [0, 0];
      for (const [i, turned, toLeft, toTop] of looks) {
        if (turned !== eye) continue;
        left += LOOK_RAD * toLeft * values[i];
        up += LOOK_RAD * toTop * values[i];
      }
      this.joints[eye]?.turn(left, up, 0);
    }
  }

  /** How the pose moves what is fixed to the head, as a matrix of the room; valid until the next. */
  get carried() {
    const { head } = this.joints;
    if (!head) return this.#carried.identity();
    this.root.updateMatrixWorld(true);
    return this.#carried.multiplyMatrices(head.node.matrixWorld, head.fromRest);
  }

  /** Return another figure of the same head, posed by itself; this one must be at rest. */
  twin() {
    return new Figure(cloneSkinned(this.model), this.box, this.mouth);
  }

  #take(node) {
    const { role, shapes = [] } = node.userData;
    if (role) this.joints[role] = new Joint(node);
    for (const [key, index, weight] of shapes) {
      if (!this.shapes.has(key)) this.shapes.set(key, []);
      this.shapes.get(key).push([node.morphTargetInfluences, index, weight]);
    }
  }

  #knows(key) {
    return this.shapes.has(key) || LOOKS.some(([look, eye]) => look === key && this.joints[eye]);
  }

  #bind(names) {
    const places = new Map(names.map((name, i) => [shapeKey(name), i]));
    const targets = [...places].flatMap(([key, i]) =>
      (this.shapes.get(key) ?? []).map((target) => [i, ...target]),
    );
    const head = ['headyaw', 'headpitch', 'headroll'].map((key) => places.get(key) ?? -1);
    const looks = LOOKS.filter(([key]) => places.has(key)).map(([key, ...rest]) => [
      places.get(key),
      ...rest,
    ]);
    return { targets, head, looks };
  }
}
