/** The decoder of meshopt-compressed heads, fetched only when such a head is opened. */
export { MeshoptDecoder } from 'three/addons/libs/meshopt_decoder.module.js';
