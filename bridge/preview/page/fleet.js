/**
 * Several bridges side by side, each by its `/health`. The address of the page holds the list, as
 * `?bridge=10.0.0.5:8530&bridge=TOKEN@10.0.0.6:8530`, so that a bookmark keeps it.
 */
import { byId, make, write } from './elements.js';

const PERIOD_MS = 1000;
const TIMEOUT_MS = 3000;
const FLOOR_DB = -60;
const DEFAULT_PORT = 8530;
const MAX_BRIDGES = 64;
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)$/i; // browsers take more, as spaces

/**
 * @typedef {{host: string, token: string}} Address
 * @typedef {{address: Address, card: HTMLElement, health: any, problem: string}} Bridge
 */

/** @type {Map<string, Bridge>} */
const bridges = new Map();

/**
 * Read `HOST:PORT`, `TOKEN@HOST:PORT`, or an address as a bridge prints it.
 * @param {string} text
 * @returns {Address | null} null for what is none of them
 */
export function readAddress(text) {
  const given = text.trim();
  const url = /^https?:\/\//i.test(given) ? given : `http://${given}`;
  try {
    const { hostname, port, username, searchParams, protocol } = new URL(url);
    if (protocol !== 'http:' || !HOST.test(hostname)) return null;
    const token = searchParams.get('token') ?? decodeURIComponent(username);
    const number = port || (/:80(?!\d)/.test(given) ? '80' : String(DEFAULT_PORT));
    return { host: `${hostname}:${number}`, token };
  } catch {
    return null;
  }
}

const textOf = ({ host, token }) => (token ? `${token}@${host}` : host);

/** Write the list into the address of the page. */
function keepAddress() {
  const query = new URLSearchParams();
  for (const bridge of bridges.values()) query.append('bridge', textOf(bridge.address));
  history.replaceState(null, '', `?${query}`);
}

/** @param {Address} address */
function add(address) {
  if (bridges.has(address.host) || bridges.size >= MAX_BRIDGES) return;
  const card = make('article.bridge', { data: { host: address.host } });
  const bridge = { address, card, health: null, problem: '' };
  bridges.set(address.host, bridge);
  byId('bridges').append(card);
  draw(bridge);
  follow(bridge);
}

/** @param {string} host */
function drop(host) {
  bridges.get(host)?.card.remove();
  bridges.delete(host);
  keepAddress();
  summarise();
}

/** Read the health of a bridge again and again, until it is removed. @param {Bridge} bridge */
async function follow(bridge) {
  const { host, token } = bridge.address;
  const query = token ? `?token=${encodeURIComponent(token)}` : '';
  while (bridges.get(host) === bridge) {
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const answer = await fetch(`http://${host}/health${query}`, { signal, cache: 'no-store' });
      const health = await answer.json();
      if (!Array.isArray(health.subjects)) throw new TypeError('no health');
      bridge.health = health;
      bridge.problem = '';
    } catch {
      bridge.health = null;
      bridge.problem = token
        ? 'No answer. Is it running there, and is the token the one that it printed?'
        : 'No answer. Is it running there with its health or preview? From another machine its ' +
          'token is needed: add the whole address that it printed.';
    }
    if (bridges.get(host) === bridge) draw(bridge);
    await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
  }
}

const badge = (text, health) => make('span.badge', { data: { health } }, text);

/** @param {Bridge} bridge */
function draw({ address, card, health, problem }) {
  const isGood = health?.is_healthy ?? false;
  card.dataset.health = health ? (isGood ? 'good' : 'bad') : problem ? 'bad' : 'none';
  const state = health ? health.state : problem ? 'NO ANSWER' : 'asking';
  const remove = make(
    'button.drop',
    {
      type: 'button',
      title: 'Remove from this page',
      aria: { label: `Remove ${address.host}` },
      onclick: () => drop(address.host),
    },
    '×',
  );
  card.replaceChildren(
    make(
      'div.head',
      {},
      make('h2', {}, address.host),
      badge(state, card.dataset.health),
      make('span.spring'),
      remove,
    ),
    make('p.meta', {}, health ? metaText(health) : problem),
    make('ul', {}, ...(health?.subjects ?? []).map(subjectItem)),
  );
  summarise();
}

function metaText(health) {
  const take = health.take ? ` · REC ${health.take}` : '';
  return `${health.timecode ?? ''} · ${health.rate ?? ''} fps · version ${health.version}${take}`;
}

function subjectItem(subject) {
  const share = Math.min(Math.max(1 - subject.level_db / FLOOR_DB, 0), 1);
  const bar = make('i');
  bar.style.width = `${Math.round(100 * share)}%`;
  const lost = Object.entries(subject.losses).map(([cause, number]) => `${number} ${cause}`);
  const latency = subject.latency_ms ? `${subject.latency_ms[0]} ms · ` : '';
  return make(
    'li.subject',
    {},
    make(
      'div.line',
      {},
      make('span.name', {}, subject.name),
      badge(subject.state, subject.state === 'OK' ? 'good' : subject.is_fault ? 'bad' : 'none'),
      ...subject.lamps.map((lamp) => badge(lamp, 'on')),
    ),
    make('p.advice', {}, subject.advice),
    make('div.level', { title: `${subject.level_db} dB` }, bar),
    make(
      'p.facts',
      {},
      `${subject.input || 'no input'} · ${latency}lost ${lost.join(', ') || 'nothing'}`,
    ),
    make('ul', {}, ...subject.links.map(linkItem)),
  );
}

const LINK_HEALTH = { listening: 'good', off: 'on' };

function linkItem(link) {
  return make(
    'li.link',
    {},
    make(
      'div.line',
      {},
      make('span.name', {}, link.name),
      badge(link.lamp, link.is_fault ? 'bad' : (LINK_HEALTH[link.lamp] ?? 'none')),
      make('span.facts', {}, `${Math.round(link.packets_per_s)} /s`),
    ),
  );
}

function summarise() {
  const all = [...bridges.values()];
  const good = all.filter(({ health }) => health?.is_healthy).length;
  write(byId('summary'), all.length ? `${good} of ${all.length} healthy` : '');
  document.title = all.length ? `${good}/${all.length} CSTalk bridges` : 'CSTalk bridges';
}

function showProblem(text) {
  byId('problem').hidden = !text;
  write(byId('problem'), text);
}

byId('add', 'form').onsubmit = (event) => {
  event.preventDefault();
  const field = byId('address', 'input');
  const address = readAddress(field.value);
  showProblem(address ? '' : `${field.value} is no address; write HOST:PORT, as 10.0.0.5:8530.`);
  if (!address) return;
  field.value = '';
  add(address);
  keepAddress();
};

const dark = matchMedia('(prefers-color-scheme: light)');
const wear = () => {
  document.documentElement.dataset.theme = dark.matches ? 'light' : 'dark';
};
dark.addEventListener('change', wear);
wear();

const named = new URLSearchParams(location.search).getAll('bridge');
for (const text of named.length ? named : [location.host]) {
  const address = readAddress(text);
  if (address) add(address);
  else showProblem(`${text} is no address; write HOST:PORT, as 10.0.0.5:8530.`);
}
