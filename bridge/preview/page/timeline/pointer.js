/** What a pointer does on the timeline: scrub, choose a loop, zoom and pan. */
import { duration } from '../state.js';

const CLICK_PX = 4; // a press that moves less is a click
const WHEEL_PX = 400; // wheel travel that zooms by e

const LINE_PX = 16; // browsers that count wheel travel in lines
const travel = ({ deltaX, deltaY, deltaMode }) =>
  [deltaX, deltaY].map((d) => (deltaMode === 1 ? d * LINE_PX : d));

/**
 * Follow a press until it ends; return what ends it early.
 * @param {Element} element
 * @param {PointerEvent} event
 * @param {(event: PointerEvent) => void} move
 * @param {(event: PointerEvent) => void} [lift] called where it was not taken for scrolling
 */
function drag(element, event, move, lift) {
  const listening = new AbortController();
  const { signal } = listening;
  const follow = (type, deed) =>
    element.addEventListener(type, (next) => next.pointerId === event.pointerId && deed(next), {
      signal,
    });
  element.setPointerCapture(event.pointerId);
  follow('pointermove', move);
  follow('pointerup', (last) => {
    listening.abort();
    lift?.(last);
  });
  follow('pointercancel', () => listening.abort());
  return () => listening.abort();
}

/** A finger may be about to scroll: it scrubs when it goes sideways or is lifted. */
function scrub(timeline, element, event) {
  const go = ({ clientX }) => timeline.player.seek(timeline.timeAt(clientX));
  if (event.pointerType !== 'touch') go(event);
  return drag(element, event, go, go);
}

function panWith(timeline, element, event) {
  let last = event.clientX;
  return drag(element, event, ({ clientX }) => {
    timeline.pan((last - clientX) / timeline.ruler.clientWidth);
    last = clientX;
  });
}

/** Two fingers zoom about the place between them, and pan. */
class Pinch {
  /** @type {Map<number, number>} */
  #fingers = new Map();

  constructor(timeline) {
    this.timeline = timeline;
  }

  /** Take a finger; return whether there are two now. */
  down({ pointerId, clientX }) {
    this.#fingers.set(pointerId, clientX);
    return this.#fingers.size === 2;
  }

  move({ pointerId, clientX }) {
    if (!this.#fingers.has(pointerId)) return;
    const before = [...this.#fingers.values()];
    this.#fingers.set(pointerId, clientX);
    if (before.length !== 2) return;
    const after = [...this.#fingers.values()];
    const spread = (xs) => Math.max(Math.abs(xs[0] - xs[1]), CLICK_PX);
    const middle = (xs) => (xs[0] + xs[1]) / 2;
    const held_s = this.timeline.timeAt(middle(before));
    this.timeline.zoom(spread(before) / spread(after), held_s, middle(after));
  }

  up({ pointerId }) {
    this.#fingers.delete(pointerId);
  }
}

/** A drag on the ruler is a loop; a click there goes to that time, and ends the loop outside of it. */
function chooseLoop(timeline, event) {
  const { store, ruler, player } = timeline;
  const from_s = timeline.timeAt(event.clientX);
  const { loop } = store.state;
  player.seek(from_s);
  if (loop && (from_s < loop.start_s || from_s > loop.end_s)) store.set({ loop: null });
  return drag(ruler, event, ({ clientX }) => {
    if (Math.abs(clientX - event.clientX) < CLICK_PX) return;
    const ends = [from_s, timeline.timeAt(clientX)].map((s) =>
      Math.min(Math.max(s, 0), duration(store.state)),
    );
    store.set({ loop: { start_s: Math.min(...ends), end_s: Math.max(...ends) } });
  });
}

/** Zoom over ruler and sound, scroll over the lanes (with a modifier key: zoom); sideways pans. */
function wheel(timeline, event) {
  const [x, y] = travel(event);
  const isSideways = event.shiftKey || Math.abs(x) > Math.abs(y);
  const isLane = Boolean(event.target.closest('.lane'));
  const isZoom = event.ctrlKey || event.metaKey || event.altKey || !isLane;
  if (!isSideways && !isZoom) return;
  event.preventDefault();
  if (isSideways) timeline.pan((x || y) / timeline.ruler.clientWidth);
  else timeline.zoom(Math.exp(y / WHEEL_PX), timeline.timeAt(event.clientX));
}

/** What a press on a track begins; returns what ends it. */
function press(timeline, track, event) {
  if (event.button === 1 || event.shiftKey) return panWith(timeline, track, event);
  return track === timeline.ruler ? chooseLoop(timeline, event) : scrub(timeline, track, event);
}

/** Listen on the tracks of a timeline. @param {import('./timeline.js').Timeline} timeline */
export function followPointer(timeline) {
  const { root, store } = timeline;
  const trackOf = ({ target }) => target.closest('.track');
  const pinch = new Pinch(timeline);
  let stop = () => {};
  root.addEventListener('pointerdown', (event) => {
    const track = trackOf(event);
    if (!track || event.button > 1) return;
    stop();
    if (event.pointerType === 'touch' && pinch.down(event))
      track.setPointerCapture(event.pointerId);
    else stop = press(timeline, track, event);
  });
  root.addEventListener('pointermove', (event) => {
    pinch.move(event);
    const isHover = event.pointerType !== 'touch' && trackOf(event);
    store.set({ pointer_s: isHover ? timeline.timeAt(event.clientX) : null });
  });
  root.addEventListener('pointerup', (event) => pinch.up(event));
  root.addEventListener('pointercancel', (event) => pinch.up(event));
  root.addEventListener('pointerleave', () => store.set({ pointer_s: null }));
  root.addEventListener('wheel', (event) => trackOf(event) && wheel(timeline, event), {
    passive: false,
  });
}
