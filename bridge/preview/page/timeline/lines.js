/**
 * Curves as coloured lines on a canvas.
 *
 * @typedef {{range: import('../state.js').Range, width: number, x: (time_s: number) => number,
 *   y: (value: number) => number}} Place x of a time, y of a value, and the range in view
 */

const FAINT = 0.14;
const RESTING = 0.3;
const MIN_SPAN = 0.05; // of a lane: what moves less is hardly to be seen on a face
const pair = new Float32Array(2);

/** Return a colour for each curve: the two sides of a pair share the hue, the right is lighter. */
export function lineColours(infos, isDark) {
  const bases = [...new Set(infos.map(({ name }) => base(name)))];
  return infos.map(({ name, side }) => {
    const hue = 25 + (360 * bases.indexOf(base(name))) / Math.max(bases.length, 1);
    const light = isDark ? (side === 'R' ? 84 : 72) : side === 'R' ? 62 : 50;
    return `oklch(${light}% ${isDark ? 0.13 : 0.15} ${hue.toFixed(0)})`;
  });
}

const base = (name) => name.replace(/(Left|Right|L|R)$/, '');

/**
 * Return the values a lane spans: rest, and the range of its curves in the whole take. Curves that
 * hardly move do not fill it.
 * @param {{curves: import('../curves.js').Curves, indices: number[]}[]} shown curves, and the
 *   indices of those that are drawn
 */
export function laneSpan(shown) {
  let [low, high] = [0, 0];
  for (const { curves, indices } of shown) {
    for (const index of indices) {
      const [from, to] = curves.span(index);
      [low, high] = [Math.min(low, from), Math.max(high, to)];
    }
  }
  const lacking = MIN_SPAN - (high - low);
  if (lacking > 0) high += lacking;
  return [low, high];
}

/** Return an end of a lane's span as text, as fine as the span needs. */
export const spanText = (value, span) =>
  Number(value.toFixed(span < 0.2 ? 3 : 2))
    .toString()
    .replace('-', '\u2212');

/** Draw one curve. `place` gives x of a time and y of a value, and the range and width in view. */
export function drawLine(context, curves, index, place) {
  const { range, width, x, y } = place;
  const perPixel = ((range.end_s - range.start_s) * curves.rate_hz) / width;
  context.beginPath();
  if (perPixel <= 1) drawRows(context, curves, index, place);
  else {
    for (let column = 0; column < width; column++) {
      const first = Math.floor(range.start_s * curves.rate_hz + column * perPixel);
      const last = Math.min(Math.floor(first + perPixel) + 1, curves.rows);
      if (first >= last || first < 0) continue;
      curves.extrema(index, first, last, pair);
      context.lineTo(x(range.start_s) + column, y(pair[0]));
      context.lineTo(x(range.start_s) + column, y(pair[1]));
    }
  }
  context.stroke();
}

function drawRows(context, curves, index, { range, x, y }) {
  const first = Math.max(0, Math.floor(range.start_s * curves.rate_hz));
  const last = Math.min(curves.rows - 1, Math.ceil(range.end_s * curves.rate_hz));
  for (let row = first; row <= last; row++)
    context.lineTo(x(row / curves.rate_hz), y(curves.value(row, index)));
}

/**
 * Draw all curves of a lane.
 * @param {CanvasRenderingContext2D} context of a cleared canvas
 * @param {{curves: import('../curves.js').Curves, indices: number[], dash: number[]}[]} layers
 *   one for each side
 * @param {{names: Map<string, string>, highlight: ?string, rests: Set<string>, place: Place}} look
 *   colours by name, and which curves rest on the faces
 */
export function drawLane(context, layers, { names, highlight, rests, place }) {
  context.lineJoin = 'round';
  for (const { curves, indices, dash } of layers) {
    context.setLineDash(dash);
    for (const index of indices) {
      const name = curves.names[index];
      context.strokeStyle = names.get(name) ?? '';
      const strength = rests.has(name) ? RESTING : 1;
      context.globalAlpha = !highlight || highlight === name ? strength : FAINT;
      context.lineWidth = highlight === name ? 2.2 : 1.3;
      drawLine(context, curves, index, place);
    }
  }
  context.globalAlpha = 1;
  context.setLineDash([]);
}
