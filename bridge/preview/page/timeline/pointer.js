/** What a pointer does on the timeline: scrub, choose a loop, zoom and pan. */
import { duration } from '../state.js';

const CLICK_PX = 4; // a press that moves less is a click
const WHEEL_PX = 400; // wheel travel that zooms by e

const LINE_PX = 16; // browsers that count wheel travel in lines
const travel = ({ deltaX, deltaY, deltaMode }) =>
  [deltaX, deltaY].map((d) => (deltaMode === 1 ? d * LINE_PX : d));

/** Follow a press until it ends. */
function drag(element, event, move) {
  element.setPointerCapture(event.pointerId);
  const end = () => {
    element.removeEventListener('pointermove', move);
    element.removeEventListener('pointerup', end);
    element.removeEventListener('pointercancel', end);
  };
  element.addEventListener('pointermove', move);
  element.addEventListener('pointerup', end);
  element.addEventListener('pointercancel', end);
}

function scrub(timeline, element, event) {
  const go = ({ clientX }) => timeline.player.seek(timeline.timeAt(clientX));
  go(event);
  drag(element, event, go);
}

function panWith(timeline, element, event) {
  let last = event.clientX;
  drag(element, event, ({ clientX }) => {
    timeline.pan((last - clientX) / timeline.ruler.clientWidth);
    last = clientX;
  });
}

/** A drag on the ruler is a loop; a click there goes to that time, and ends the loop outside of it. */
function chooseLoop(timeline, event) {
  const { store, ruler, player } = timeline;
  const from_s = timeline.timeAt(event.clientX);
  const { loop } = store.state;
  player.seek(from_s);
  if (loop && (from_s < loop.start_s || from_s > loop.end_s)) store.set({ loop: null });
  drag(ruler, event, ({ clientX }) => {
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

/** Listen on the tracks of a timeline. @param {import('./timeline.js').Timeline} timeline */
export function followPointer(timeline) {
  const { root, store } = timeline;
  const trackOf = ({ target }) => target.closest('.track');
  root.addEventListener('pointerdown', (event) => {
    const track = trackOf(event);
    if (!track || event.button > 1) return;
    if (event.button === 1 || event.shiftKey) panWith(timeline, track, event);
    else if (track === timeline.ruler) chooseLoop(timeline, event);
    else scrub(timeline, track, event);
  });
  root.addEventListener('pointermove', (event) => {
    store.set({ pointer_s: trackOf(event) ? timeline.timeAt(event.clientX) : null });
  });
  root.addEventListener('pointerleave', () => store.set({ pointer_s: null }));
  root.addEventListener('wheel', (event) => trackOf(event) && wheel(timeline, event), {
    passive: false,
  });
}
