/** Waveform and spectrogram of the sound that is heard, fetched as far as they are seen. */
import * as api from '../api.js';
import { contextOf } from '../elements.js';
import { cleared, colour } from './canvas.js';

const SETTLE_MS = 120; // the view rests so long before finer columns are fetched
const MAX_COLUMNS = 2048;
const BANDS = 64;

/** Fetches one picture of a sound for what is in view, and keeps that of the whole sound. */
class SoundPicture {
  #timer = 0;
  /** @type {?AbortController} */
  #asking = null;
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
  }

  /** Ask for what is in view; the answers come later, the newest question counts. */
  want(take, range, columns) {
    const sound = take?.has_sound ? String(take.recording ?? take.id) : '';
    const wanted = `${sound} ${range.start_s} ${range.end_s} ${columns}`;
    if (wanted === this.#wanted) return;
    if (!this.#wanted.startsWith(`${sound} `)) this.whole = this.part = null;
    this.#wanted = wanted;
    clearTimeout(this.#timer);
    if (!sound || columns < 1) return;
    const wait_ms = this.whole ? SETTLE_MS : 0;
    this.#timer = setTimeout(
      () => this.#fetch(take, range, Math.min(columns, MAX_COLUMNS)),
      wait_ms,
    );
  }

  async #fetch(take, range, columns) {
    this.#asking?.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    try {
      const all = { start_s: 0, end_s: take.duration_s };
      const seen = { start_s: range.start_s, end_s: Math.min(range.end_s, take.duration_s) };
      const isWhole = seen.start_s <= 0 && seen.end_s >= all.end_s;
      const ask = async (part) => ({
        range: part,
        columns,
        picture: await this.fetchPart(take, part, columns, signal),
      });
      if (!this.whole || (isWhole && this.whole.columns !== columns)) this.whole = await ask(all);
      this.part = !isWhole && seen.end_s > seen.start_s ? await ask(seen) : null;
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
