/** What the page uses of three.js; `README.md` has the command that makes `three.js` of it. */
export {
  Box3,
  DirectionalLight,
  Euler,
  Group,
  HemisphereLight,
  NeutralToneMapping,
  PerspectiveCamera,
  Quaternion,
  Scene,
  Vector3,
  WebGLRenderer,
} from 'three';
export { GLTFLoader } from 'three/addons/loaders/GLTFLoader.js';
export { clone as cloneSkinned } from 'three/addons/utils/SkeletonUtils.js';
