/** The curves of one take under one rig map, over time. */

const SCALE = 10000; // of the int16 values, as the server sends them
const BLOCK = 64; // rows of which the extrema are kept, so that hours draw as fast as seconds
const BREATH = 2 ** 22; // values looked at before the page may draw again
const MOVES = 0.02 * SCALE; // a curve that spans less counts as still

const breath = () => new Promise((resolve) => setTimeout(resolve, 0));

/** Rows of curves, [time, curves], read between rows by linear interpolation. */
export class Curves {
  /**
   * @param {import('./state.js').RigMapInfo} rigmap
   * @param {{rows: number, count: number, rate_hz: number, values: Int16Array}} data
   */
  constructor(rigmap, { rows, count, rate_hz, values }) {
    this.rigmap = rigmap;
    this.infos = rigmap.curves;
    this.names = rigmap.curves.map(({ name }) => name);
    this.rows = rows;
    this.count = count;
    this.rate_hz = rate_hz;
    this.values = values;
    const blocks = Math.ceil(rows / BLOCK);
    this.lows = new Int16Array(blocks * count);
    this.highs = new Int16Array(blocks * count);
    this.low = new Int16Array(count);
    this.high = new Int16Array(count);
  }

  /** Make the curves and look through all of them, without holding up the page. */
  static async from(rigmap, data) {
    const curves = new Curves(rigmap, data);
    const atOnce = Math.max(1, Math.floor(BREATH / (BLOCK * curves.count)));
    const blocks = Math.ceil(curves.rows / BLOCK);
    for (let block = 0; block < blocks; block++) {
      if (block % atOnce === atOnce - 1) await breath();
      curves.#survey(block);
    }
    return curves;
  }

  /** Write the values at a time into `out` (float, [curves]) and return it. */
  at(time_s, out = new Float32Array(this.count)) {
    if (!this.rows) return out.fill(0);
    const place = Math.min(Math.max(time_s * this.rate_hz, 0), this.rows - 1);
    const row = Math.min(Math.floor(place), Math.max(this.rows - 2, 0));
    const part = (place - row) / SCALE;
    const rest = 1 / SCALE - part;
    const here = row * this.count;
    const next = this.rows > 1 ? here + this.count : here;
    for (let i = 0; i < this.count; i++) {
      out[i] = this.values[here + i] * rest + this.values[next + i] * part;
    }
    return out;
  }

  /** Whether a curve moves anywhere in the take. */
  moves(index) {
    return this.high[index] - this.low[index] >= MOVES;
  }

  /** The lowest and highest value of a curve in the whole take. */
  span(index) {
    return [this.low[index] / SCALE, this.high[index] / SCALE];
  }

  /** The value of a curve in one row. */
  value(row, index) {
    return this.values[row * this.count + index] / SCALE;
  }

  /** Write the lowest and highest value of rows `first` to before `last` into `out`, [2]. */
  extrema(index, first, last, out) {
    let low = Infinity;
    let high = -Infinity;
    const look = (lows, highs, place) => {
      if (lows[place] < low) low = lows[place];
      if (highs[place] > high) high = highs[place];
    };
    let row = first;
    while (row < last) {
      if (row % BLOCK === 0 && row + BLOCK <= last) {
        look(this.lows, this.highs, (row / BLOCK) * this.count + index);
        row += BLOCK;
      } else {
        look(this.values, this.values, row * this.count + index);
        row += 1;
      }
    }
    out[0] = low / SCALE;
    out[1] = high / SCALE;
  }

  #survey(block) {
    const { count, values, lows, highs, low, high } = this;
    const base = block * count;
    const first = block * BLOCK;
    const last = Math.min(first + BLOCK, this.rows);
    for (let i = 0; i < count; i++) lows[base + i] = highs[base + i] = values[first * count + i];
    for (let row = first + 1; row < last; row++) {
      for (let i = 0, at = row * count; i < count; i++, at++) {
        const value = values[at];
        if (value < lows[base + i]) lows[base + i] = value;
        else if (value > highs[base + i]) highs[base + i] = value;
      }
    }
    for (let i = 0; i < count; i++) {
      if (block === 0 || lows[base + i] < low[i]) low[i] = lows[base + i];
      if (block === 0 || highs[base + i] > high[i]) high[i] = highs[base + i];
    }
  }
}
