/** The server as the page sees it. Every refusal becomes a `Refusal` with problems to show. */

/** What the server, or the page itself, will not do: what, where, and the remedy. */
export class Refusal extends Error {
  /** @param {...import('./state.js').Problem} problems */
  constructor(...problems) {
    super(problems.map(({ where, what }) => `${where}: ${what}`).join('\n'));
    this.problems = problems;
  }

  /** Return the problems of whatever was thrown. */
  static problemsOf(error) {
    if (error instanceof Refusal) return error.problems;
    return [{ where: 'page', what: String(error?.message ?? error), remedy: 'reload the page' }];
  }
}

const LOST = {
  where: 'server',
  what: 'it does not respond',
  remedy: 'check that cstalk-bridge is running, then try again',
};

/** Return the problems of an answer's body, whatever it holds. */
function problemsIn(text, status) {
  try {
    const { problems } = JSON.parse(text);
    if (problems.length)
      return problems.map(({ where = '', what, remedy = '' }) => ({ where, what, remedy }));
  } catch {
    /* not an answer of ours: a proxy's page, or nothing */
  }
  return [
    { where: 'server', what: `it answered with status ${status}`, remedy: 'reload the page' },
  ];
}

async function request(url, options = {}) {
  let answer;
  try {
    answer = await fetch(url, options);
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') throw error;
    throw new Refusal(LOST);
  }
  if (!answer.ok) throw new Refusal(...problemsIn(await answer.text(), answer.status));
  return answer;
}

const json = async (url, options) => (await request(url, options)).json();
const bytes = async (url, options) => (await request(url, options)).arrayBuffer();
const takeUrl = (id, what = '') => `/api/takes/${encodeURIComponent(id)}${what}`;

/** What the server says of itself. */
export const session = () => json('/api/session');

/**
 * @param {{recording: string, emotion: object, levels: object, [setting: string]: any}} wish
 * @returns the take as it stands; it is made from `recording` while `state` is "generating".
 */
export const generate = (wish) =>
  json('/api/takes', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(wish),
  });

const post = (url, body) =>
  json(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });

/**
 * Change settings of a subject of the running bridge, by their field names.
 * @param {string} name
 * @param {{[setting: string]: any}} wish
 */
export const steer = (name, wish) => post(`/api/subjects/${encodeURIComponent(name)}`, wish);

/** Start or end a take. @param {{action: 'start' | 'stop', slate?: string, take?: number}} wish */
export const record = (wish) => post('/api/recording', wish);

/** Have the bridge do what a key does to a subject. */
export const pressKey = (key, subject) => post('/api/key', { key, subject });

/** The audio inputs of the bridge's machine. */
export const devices = () => json('/api/devices');

export const take = (id) => json(takeUrl(id));

/** Forget a take, also while the page is being left; what is gone already is no fault. */
export const remove = (id) =>
  request(takeUrl(id), { method: 'DELETE', keepalive: true }).catch(() => {});

/**
 * Fetch the curves of a take.
 * @param {string} id
 * @param {string} rigmap name of the rig map
 * @returns {Promise<{rows: number, count: number, rate_hz: number, values: Int16Array}>}
 */
export async function curves(id, rigmap) {
  const answer = await request(takeUrl(id, `/curves?${new URLSearchParams({ rigmap })}`));
  const [rows, count, rate_hz] = ['X-Rows', 'X-Curves', 'X-Rate-Hz'].map((name) =>
    Number(answer.headers.get(name)),
  );
  const values = new Int16Array(await answer.arrayBuffer());
  if (values.length !== rows * count) {
    throw new Refusal({ where: rigmap, what: 'the curves are incomplete', remedy: 'try again' });
  }
  return { rows, count, rate_hz, values };
}

export const soundUrl = (id) => takeUrl(id, '/sound');

/** Fetch [columns, 2] of -127..127: the lowest and highest sample in each column. */
export const waveform = async (id, start_s, end_s, columns, signal) =>
  new Int8Array(
    await bytes(takeUrl(id, `/waveform?${new URLSearchParams({ start_s, end_s, columns })}`), {
      signal,
    }),
  );

/** Fetch [bands, columns] of 0 (-80 dBFS) to 255 (0 dBFS), the lowest band first. */
export const spectrogram = async (id, start_s, end_s, columns, bands, signal) =>
  new Uint8Array(
    await bytes(
      takeUrl(id, `/spectrogram?${new URLSearchParams({ start_s, end_s, columns, bands })}`),
      { signal },
    ),
  );

export const exportUrl = (id, query) => takeUrl(id, `/export?${new URLSearchParams(query)}`);

export const waveUrl = (id) => takeUrl(id, '/wave');

/**
 * Send a sound or a take. `fetch` cannot tell how far an upload is, hence XMLHttpRequest.
 * @param {File} file
 * @param {(part: number) => void} onProgress told 0..1
 */
export function upload(file, onProgress) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open('POST', `/api/recordings?${new URLSearchParams({ name: file.name })}`);
    sending.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 1);
    sending.onerror = () => reject(new Refusal(LOST));
    sending.onload = () => {
      if (sending.status === 201) resolve(JSON.parse(sending.responseText));
      else reject(new Refusal(...problemsIn(sending.responseText, sending.status)));
    };
    sending.send(file);
  });
}
