/**
 * Draws all faces with one renderer: each view of the page is a window of one picture.
 *
 * @typedef {{part: 'face' | 'mouth', orbit: {azimuth: number, elevation: number}}} Shot what a
 *   camera shows, and from where in radians; that of a mouth goes along with the head
 */
import {
  DirectionalLight,
  HemisphereLight,
  NeutralToneMapping,
  PerspectiveCamera,
  Scene,
  WebGLRenderer,
} from './vendor/three.js';
import { contextOf } from './elements.js';
import { aim } from './framing.js';

const MAX_PIXEL_RATIO = 2;
const LENS_DEG = 22; // a portrait lens: faces do not bulge

/** Light of a small studio: a warm key from the subject's left, a cool fill, a rim from behind. */
function studio() {
  const scene = new Scene();
  const lamp = (colour, strength, x, y, z) => {
    const light = new DirectionalLight(colour, strength);
    light.position.set(x, y, z);
    scene.add(light);
  };
  scene.add(new HemisphereLight(0xf2f5ff, 0x6b5d55, 1.15));
  lamp(0xfff1e2, 2.1, 0.8, 0.9, 1.3);
  lamp(0xdfe8ff, 0.55, -1.2, 0.2, 1);
  lamp(0xe6eeff, 1.6, -0.7, 0.8, -1.2);
  lamp(0xffffff, 0.7, 1, 0.5, -1);
  return scene;
}

/** The picture of all views. */
export class Stage {
  /** @param {HTMLCanvasElement} canvas laid over all views */
  constructor(canvas) {
    this.canvas = canvas;
    this.renderer = new WebGLRenderer({
      canvas,
      antialias: true,
      alpha: true,
      powerPreference: 'low-power',
    });
    this.renderer.toneMapping = NeutralToneMapping;
    this.renderer.toneMappingExposure = 1;
    this.renderer.setClearColor(0x000000, 0);
    this.renderer.setScissorTest(true);
    this.scene = studio();
    this.camera = new PerspectiveCamera(LENS_DEG, 1, 0.1, 10);
  }

  /**
   * Draw each figure into its window.
   * @param {{element: HTMLElement, figure: import('./figure.js').Figure, shot: Shot}[]} views
   */
  draw(views) {
    const { renderer } = this;
    const frame = this.canvas.getBoundingClientRect();
    this.#fit(frame);
    renderer.setScissor(0, 0, frame.width, frame.height);
    renderer.clear();
    for (const { element, figure, shot } of views) {
      const rect = element.getBoundingClientRect();
      if (rect.width < 1 || rect.height < 1) continue;
      /** @type {[number, number, number, number]} */
      const window = [rect.left - frame.left, frame.bottom - rect.bottom, rect.width, rect.height];
      this.#render(figure, shot, window);
    }
  }

  /**
   * Return a still of a figure as it is posed, of a size in pixels of the page. The picture of the
   * views is gone until it is drawn again.
   * @param {import('./figure.js').Figure} figure
   * @param {Shot} shot
   * @param {{width: number, height: number}} size no larger than the stage
   */
  still(figure, shot, { width, height }) {
    this.#render(figure, shot, [0, 0, width, height], true);
    const ratio = this.renderer.getPixelRatio();
    const copy = document.createElement('canvas');
    copy.width = Math.round(width * ratio);
    copy.height = Math.round(height * ratio);
    contextOf(copy).drawImage(this.canvas, 0, copy.height - this.canvas.height);
    return copy;
  }

  /**
   * Return the pixels of one view, as they are drawn now.
   * @returns {{width: number, height: number, data: Uint8ClampedArray}} RGBA from the top left
   */
  pixels(view, views) {
    this.draw(views);
    const frame = this.canvas.getBoundingClientRect();
    const rect = view.element.getBoundingClientRect();
    const ratio = this.renderer.getPixelRatio();
    const copy = document.createElement('canvas');
    copy.width = Math.round(rect.width * ratio);
    copy.height = Math.round(rect.height * ratio);
    const context = contextOf(copy, { willReadFrequently: true });
    context.drawImage(
      this.canvas,
      (frame.left - rect.left) * ratio,
      (frame.top - rect.top) * ratio,
    );
    return context.getImageData(0, 0, copy.width, copy.height);
  }

  /**
   * Render a figure into a window [left, bottom, width, height] of the picture.
   * @param {import('./figure.js').Figure} figure
   * @param {Shot} shot
   * @param {[number, number, number, number]} window
   * @param {boolean} isCleared whether what is there goes first
   */
  #render(figure, { part, orbit }, window, isCleared = false) {
    const { renderer, scene, camera } = this;
    renderer.setViewport(...window);
    renderer.setScissor(...window);
    if (isCleared) renderer.clear();
    const aspect = window[2] / window[3];
    if (part === 'mouth') aim(camera, figure.mouth, aspect, orbit, figure.carried);
    else aim(camera, figure.box, aspect, orbit);
    scene.add(figure.root);
    renderer.render(scene, camera);
    scene.remove(figure.root);
  }

  #fit({ width, height }) {
    const ratio = Math.min(globalThis.devicePixelRatio || 1, MAX_PIXEL_RATIO);
    const size = `${width} ${height} ${ratio}`;
    if (size === this.size || !width || !height) return;
    this.size = size;
    this.renderer.setPixelRatio(ratio);
    this.renderer.setSize(width, height, false);
  }
}
