/** The faces of a running daemon, over a WebSocket: the newest frame counts, the rest is past. */

const KIND_FRAMES = 1;
const HEADER_BYTES = 16; // u8 kind, u8 subjects, u16 curves, u32 tick, f64 time s
const MEASURED_MS = 1000; // the span over which the rate is counted
const RETRY_MS = [250, 500, 1000, 2000];
const SILENCE_MS = 1000; // without frames for so long there is no signal

/**
 * Read one binary message.
 * @param {ArrayBuffer} data
 * @returns {?{tick: number, time_s: number, curves: number, subjects: Float32Array[]}} or null
 *   for a message of another kind or length
 */
export function readFrames(data) {
  if (data.byteLength < HEADER_BYTES) return null;
  const view = new DataView(data);
  const count = view.getUint8(1);
  const curves = view.getUint16(2, true);
  const isWhole = data.byteLength === HEADER_BYTES + 4 * count * curves;
  if (view.getUint8(0) !== KIND_FRAMES || !isWhole) return null;
  const subjects = Array.from(
    { length: count },
    (_, k) => new Float32Array(data, HEADER_BYTES + 4 * k * curves, curves),
  );
  return { tick: view.getUint32(4, true), time_s: view.getFloat64(8, true), curves, subjects };
}

/**
 * Follows the daemon into `state.live`: {isOpen, subjects, curves, frames, rate_fps, age_ms}, and
 * what it says of itself into `state.bridge` and `state.meters`.
 */
export class LiveFeed {
  #arrivals = [];
  #tries = 0;

  /** @param {import('./state.js').Store} store @param {() => number} now in ms */
  constructor(store, now = () => performance.now()) {
    this.store = store;
    this.now = now;
  }

  /** Connect, and again whenever the connection is lost. */
  start() {
    this.#connect();
    setInterval(() => this.#age(), SILENCE_MS / 4);
  }

  #connect() {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${location.host}/live`);
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) =>
      typeof data === 'string' ? this.#read(JSON.parse(data)) : this.#take(data);
    socket.onclose = () => {
      this.#set({ isOpen: false });
      setTimeout(() => this.#connect(), RETRY_MS[Math.min(this.#tries++, RETRY_MS.length - 1)]);
    };
  }

  #read(document) {
    if (document.kind === 'state') this.store.set({ bridge: document });
    else if (document.kind === 'meters') this.store.set({ meters: document });
    else this.#introduce(document);
  }

  #introduce({ subjects, curves, rate_hz }) {
    this.#tries = 0;
    this.#arrivals = [];
    this.#set({
      isOpen: true,
      subjects,
      curves,
      rate_hz,
      frames: null,
      rate_fps: 0,
      age_ms: Infinity,
    });
  }

  #take(data) {
    const frames = readFrames(data);
    const { live } = this.store.state;
    if (!frames || frames.curves !== live?.curves.length) return;
    const now = this.now();
    this.#arrivals.push(now);
    while (this.#arrivals[0] < now - MEASURED_MS) this.#arrivals.shift();
    this.#set({ frames, age_ms: isSilent(live) ? 0 : live.age_ms });
  }

  #age() {
    if (!this.store.state.live?.isOpen) return;
    const now = this.now();
    const recent = this.#arrivals.filter((at) => at >= now - MEASURED_MS);
    this.#set({
      rate_fps: (recent.length * 1000) / MEASURED_MS,
      age_ms: now - (this.#arrivals.at(-1) ?? -Infinity),
    });
  }

  #set(patch) {
    this.store.set({
      live: {
        isOpen: false,
        subjects: [],
        curves: [],
        frames: null,
        rate_fps: 0,
        age_ms: Infinity,
        ...this.store.state.live,
        ...patch,
      },
    });
  }
}

/**
 * Whether the newest frame is too old to be called live.
 * @param {?import('./state.js').Live} live
 */
export const isSilent = (live) => !live?.isOpen || live.age_ms > SILENCE_MS;
