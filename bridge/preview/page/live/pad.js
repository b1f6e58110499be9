/**
 * The emotion pad: the centre is neutral, each other emotion lies at the rim, and a point between
 * two blends them. It is moved by mouse, finger and arrow keys.
 */
import { make, write } from '../elements.js';

const STEP = 0.1; // of an arrow key, as a part of the radius
const HELD_MS = 1500; // so long after a move the pad shows where it was moved to
const AROUND = ['happy', 'surprised', 'fearful', 'angry', 'disgusted', 'sad'];

/** The emotions at the rim in their order: neighbours are those that people mix. */
const atRim = (emotions) => [
  ...AROUND.filter((name) => emotions.includes(name)),
  ...emotions.slice(1).filter((name) => !AROUND.includes(name)),
];

/**
 * Return the mix of a point of the unit disk: the two neighbours at the rim share its radius.
 * @param {{x: number, y: number}} point y upwards
 * @param {string[]} rim
 */
export function mixAt({ x, y }, rim) {
  const radius = Math.min(Math.hypot(x, y), 1);
  const turn = ((Math.atan2(y, x) / (2 * Math.PI) + 1) % 1) * rim.length;
  const first = Math.floor(turn) % rim.length;
  const share = turn - Math.floor(turn);
  const round = (weight) => Number(weight.toFixed(2));
  const mix = {
    [rim[first]]: round(radius * (1 - share)),
    [rim[(first + 1) % rim.length]]: round(radius * share),
  };
  return Object.fromEntries(Object.entries(mix).filter(([, weight]) => weight > 0));
}

/** Return the point of a mix: exact where it is one of two neighbours, else where it leans. */
export function pointOf(mix, rim) {
  const named = rim.filter((name) => mix[name] > 0);
  const [one, two] = named.map((name) => rim.indexOf(name));
  const sum = named.reduce((total, name) => total + mix[name], 0);
  const distance = named.length === 2 ? Math.abs(one - two) : 0;
  if (distance === 1 || distance === rim.length - 1) {
    const first = distance === 1 ? one : two;
    const turn = first + mix[rim[(first + 1) % rim.length]] / sum;
    const angle = (2 * Math.PI * turn) / rim.length;
    return { x: Math.min(sum, 1) * Math.cos(angle), y: Math.min(sum, 1) * Math.sin(angle) };
  }
  const at = (of) =>
    named.reduce(
      (total, name) => total + mix[name] * of((2 * Math.PI * rim.indexOf(name)) / rim.length),
      0,
    );
  const [x, y] = [at(Math.cos), at(Math.sin)];
  const long = Math.max(Math.hypot(x, y), 1);
  return { x: x / long, y: y / long };
}

/** A mix in words. */
export const mixText = (mix) =>
  Object.entries(mix)
    .map(([name, weight]) => `${name} ${weight.toFixed(2)}`)
    .join(', ') || 'neutral';

/** The emotions around the pad, each with its picture. */
function corners(rim, picture) {
  return rim.map((name, place) => {
    const angle = (2 * Math.PI * place) / rim.length;
    const label = make('span.corner', { aria: { hidden: true } }, picture(name), name);
    label.style.left = `${50 + 39 * Math.cos(angle)}%`;
    label.style.top = `${50 - 39 * Math.sin(angle)}%`;
    return label;
  });
}

/**
 * Return the pad: its element, and how it shows a mix.
 * @param {string[]} emotions
 * @param {(name: string) => HTMLElement} picture of an emotion
 * @param {(mix: Record<string, number>) => void} change
 */
export function emotionPad(emotions, picture, change) {
  const rim = atRim(emotions);
  const handle = make('div.handle', { role: 'slider', tabIndex: 0 });
  handle.setAttribute('aria-label', 'Blend of emotions');
  handle.setAttribute('aria-orientation', 'horizontal');
  const text = make('output.blend');
  const disk = make('div.disk', {}, ...corners(rim, picture), handle);
  let point = { x: 0, y: 0 };
  let moved_ms = -Infinity;
  const place = (mix) => {
    handle.style.left = `${50 + 30 * point.x}%`;
    handle.style.top = `${50 - 30 * point.y}%`;
    handle.setAttribute('aria-valuenow', Math.hypot(point.x, point.y).toFixed(2));
    handle.setAttribute('aria-valuemin', '0');
    handle.setAttribute('aria-valuemax', '1');
    handle.setAttribute('aria-valuetext', mixText(mix));
    write(text, mixText(mix));
  };
  const move = (wanted) => {
    const long = Math.max(Math.hypot(wanted.x, wanted.y), 1);
    point = { x: wanted.x / long, y: wanted.y / long };
    const mix = mixAt(point, rim);
    moved_ms = performance.now();
    place(mix);
    change(mix);
  };
  followPointer(disk, move);
  followArrows(handle, () => point, move);
  const show = (mix) => {
    if (performance.now() < moved_ms + HELD_MS) return;
    point = pointOf(mix, rim);
    place(mix);
  };
  return { element: make('div.pad', {}, disk, text), show };
}

function followPointer(disk, move) {
  const moved = ({ clientX, clientY }) => {
    const { left, top, width, height } = disk.getBoundingClientRect();
    move({
      x: ((clientX - left) / width - 0.5) / 0.3,
      y: (0.5 - (clientY - top) / height) / 0.3,
    });
  };
  disk.onpointerdown = (event) => {
    disk.setPointerCapture(event.pointerId);
    moved(event);
  };
  disk.onpointermove = (event) => {
    if (disk.hasPointerCapture(event.pointerId)) moved(event);
  };
}

function followArrows(handle, present, move) {
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  handle.onkeydown = (event) => {
    const step = steps[event.key];
    if (!step && event.key !== 'Home') return;
    event.preventDefault();
    const { x, y } = present();
    move(step ? { x: x + STEP * step[0], y: y + STEP * step[1] } : { x: 0, y: 0 });
  };
}
