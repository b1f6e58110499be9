/** A canvas as sharp as the display, drawn in the page's own pixels. */
import { contextOf } from '../elements.js';

/**
 * Make a canvas as large as its element, clear it and return what to draw with.
 * @param {HTMLCanvasElement} canvas
 * @returns {{context: CanvasRenderingContext2D, width: number, height: number}}
 */
export function cleared(canvas) {
  const ratio = Math.min(globalThis.devicePixelRatio || 1, 2);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = contextOf(canvas);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** Return the value of a colour of style.css, such as `--ink`. */
export const colour = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();
