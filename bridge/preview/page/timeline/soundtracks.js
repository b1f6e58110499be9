/** Waveform and spectrogram of the sound that is heard, fetched as far as they are seen. */
import * as api from '../api.js';
import { contextOf } from '../elements.js';
import { cleared, colour } from './canvas.js';

const SETTLE_MS = 120; // the view rests so long before finer columns are fetched
const MAX_COLUMNS = 2048;
const BANDS = 64;
const WIDEST = 2.5; // a fine picture at most, in views
const BEHIND = 0.25; // of what it has beyond the view
const NEAR = 0.25; // so little ahead, in views, and the next is fetched

/** Return a range with what lies around it, most of it ahead, as far as one picture reaches. */
function widened({ start_s, end_s }, columns, whole_s) {
  const span_s = end_s - start_s;
  const spare_s = (Math.min(MAX_COLUMNS / columns, WIDEST) - 1) * span_s;
  return {
    start_s: Math.max(start_s - BEHIND * spare_s, 0),
    end_s: Math.min(end_s + (1 - BEHIND) * spare_s, whole_s),
  };
}

/**
 * Fetches pictures of a sound: one of all of it, and a finer one of what is in view and around it,
 * anew when the view comes near its end.
 */
class SoundPicture {
  #timer = 0;
  /** @type {?AbortController} */
  #asking = null;
  #sound = '';
  #wanted = '';

  /**
   * @param {(take: object, range: object, columns: number, signal: AbortSignal) => Promise} fetchPart
   * @param {() => void} onChange called when there is more to draw
   */
  constructor(fetchPart, onChange) {
    this.fetchPart = fetchPart;
    this.onChange = onChange;
    this.whole = null;
    this.part = null;
    /** @type {?import('../state.js').Range} what is fetched finely, or on its way */
    this.covered = null;
  }

  /** Ask for what is in view; the answers come later, the newest question counts. */
  want(take, range, columns) {
    const sound = take?.has_sound ? String(take.recording ?? take.id) : '';
    if (sound !== this.#sound) {
      this.#sound = sound;
      this.#wanted = '';
      this.whole = this.part = this.covered = null;
    }
    if (!sound || columns < 1) return;
    const count = Math.min(columns, MAX_COLUMNS);
    const scale = `${count} ${(range.end_s - range.start_s).toFixed(6)}`;
    const isZoomed = scale !== this.#wanted;
    if (!isZoomed && (this.#timer || this.#reaches(range, take.duration_s))) return;
    clearTimeout(this.#timer);
    this.#wanted = scale;
    const ask = () => {
      this.#timer = 0;
      this.#fetch(take, range, count, scale);
    };
    this.#timer = setTimeout(ask, this.whole ? SETTLE_MS : 0);
  }

  /** Whether the pictures, those on their way included, are fine enough around a range. */
  #reaches({ start_s, end_s }, whole_s) {
    if (!this.covered) return false;
    const near_s = NEAR * (end_s - start_s);
    const from_s = Math.max(start_s - near_s * BEHIND, 0);
    return (
      this.covered.start_s <= from_s && this.covered.end_s >= Math.min(end_s + near_s, whole_s)
    );
  }

  async #fetch(take, range, columns, scale) {
    this.#asking?.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const all = { start_s: 0, end_s: take.duration_s };
    const seen_s = Math.min(range.end_s, take.duration_s) - range.start_s;
    const isWhole = range.start_s <= 0 && range.end_s >= all.end_s;
    this.covered = isWhole ? all : widened(range, columns, all.end_s);
    const ask = async (part, count) => ({
      range: part,
      scale,
      picture: await this.fetchPart(take, part, count, signal),
    });
    try {
      if (!this.whole || (isWhole && this.whole.scale !== scale))
        this.whole = await ask(all, columns);
      const share = (this.covered.end_s - this.covered.start_s) / (range.end_s - range.start_s);
      const count = Math.min(Math.max(Math.round(columns * share), 1), MAX_COLUMNS);
      this.part = isWhole || seen_s <= 0 ? null : await ask(this.covered, count);
      this.onChange();
    } catch {
      /* a take that is gone or a question that was overtaken leaves the picture as it is */
    }
  }
}

/** Draw the columns of a picture where they lie in time. */
function lay(context, { range: own, picture }, range, { width, height }) {
  const perSecond = width / (range.end_s - range.start_s);
  const left = (own.start_s - range.start_s) * perSecond;
  context.clearRect(left, 0, (own.end_s - own.start_s) * perSecond, height);
  context.imageSmoothingEnabled = true;
  context.drawImage(picture, left, 0, (own.end_s - own.start_s) * perSecond, height);
}

/** Turn [bands, columns] of loudness into a picture, the lowest band at the foot. */
function heatPicture(values, columns) {
  const picture = new OffscreenCanvas(columns, BANDS);
  const context = contextOf(picture);
  const image = context.createImageData(columns, BANDS);
  for (let band = 0; band < BANDS; band++) {
    for (let column = 0; column < columns; column++) {
      const heat = Math.max(0, (values[band * columns + column] - 40) / 190);
      const at = 4 * ((BANDS - 1 - band) * columns + column);
      image.data[at] = 255 * Math.min(1, heat ** 1.1 * 1.25);
      image.data[at + 1] = 255 * Math.min(1, heat ** 2);
      image.data[at + 2] =
        255 * Math.min(1, 0.62 * Math.sin(Math.PI * Math.min(heat, 0.82)) + 0.5 * heat ** 4);
      image.data[at + 3] = 255 * Math.min(1, heat * 2.4);
    }
  }
  context.putImageData(image, 0, 0);
  return picture;
}

/** Turn [columns, 2] of extrema into a picture; the colour is put on when it is drawn. */
function wavePicture(values) {
  const HEIGHT = 128;
  const columns = values.length / 2;
  const picture = new OffscreenCanvas(columns, HEIGHT);
  const context = contextOf(picture);
  for (let column = 0; column < columns; column++) {
    const [low, high] = [values[2 * column], values[2 * column + 1]];
    const top = (HEIGHT / 2) * (1 - high / 127);
    context.fillRect(column, top, 1, Math.max(1.5, ((high - low) / 254) * HEIGHT));
  }
  return picture;
}

/** Return what draws a track: `draw(canvas, take, range)`. */
function track(fetchPart, onChange, finish) {
  const sound = new SoundPicture(fetchPart, onChange);
  return (canvas, take, range) => {
    const { context, ...size } = cleared(canvas);
    sound.want(take, range, Math.floor(size.width));
    if (sound.whole) lay(context, sound.whole, range, size);
    if (sound.part) lay(context, sound.part, range, size);
    finish(context, size);
  };
}

export const waveformTrack = (onChange) =>
  track(
    async (take, { start_s, end_s }, columns, signal) =>
      wavePicture(await api.waveform(take.id, start_s, end_s, columns, signal)),
    onChange,
    (context, { width, height }) => {
      context.globalCompositeOperation = 'source-in';
      context.fillStyle = colour('--wave');
      context.fillRect(0, 0, width, height);
      context.globalCompositeOperation = 'source-over';
    },
  );

export const spectrogramTrack = (onChange) =>
  track(
    async (take, { start_s, end_s }, columns, signal) =>
      heatPicture(await api.spectrogram(take.id, start_s, end_s, columns, BANDS, signal), columns),
    onChange,
    () => {},
  );
