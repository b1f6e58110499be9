/** The stretch of time a timeline shows, and its ruler. Pure functions. */

const MIN_SPAN_S = 0.2;
const STEPS_S = [
  0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600,
];
const LABEL_PX = 80;
const FOLLOWED = 0.6;
const MARGIN = 0.1; // parts of what is in view

/** Return a range of this span within 0..end, as near to the wanted start as it can be. */
function placed(start_s, span_s, end_s) {
  const span = Math.min(Math.max(span_s, MIN_SPAN_S), Math.max(end_s, MIN_SPAN_S));
  const start = Math.min(Math.max(start_s, 0), Math.max(end_s - span, 0));
  return { start_s: start, end_s: start + span };
}

/**
 * Return the range with the span times `factor`, and `at_s` at a part of it: where it was, unless
 * another is named.
 * @param {import('../state.js').Range} range
 * @param {number} at_s
 * @param {number} factor
 * @param {number} whole_s
 * @param {?number} [part] 0..1
 */
export function zoomed({ start_s, end_s }, at_s, factor, whole_s, part = null) {
  const span_s = Math.min(
    Math.max((end_s - start_s) * factor, MIN_SPAN_S),
    Math.max(whole_s, MIN_SPAN_S),
  );
  const place = part ?? (at_s - start_s) / (end_s - start_s);
  return placed(at_s - place * span_s, span_s, whole_s);
}

/** Return the range moved by some seconds. */
export const panned = ({ start_s, end_s }, by_s, whole_s) =>
  placed(start_s + by_s, end_s - start_s, whole_s);

/** Return the range itself where another of its span begins at the same time. */
const moved = (range, other) => (other.start_s === range.start_s ? range : other);

/**
 * Return the range, scrolled with a time that runs: from `FOLLOWED` of it on the playhead stands
 * and the range moves below it.
 */
export function following(range, time_s, whole_s) {
  const span_s = range.end_s - range.start_s;
  const ahead_s = time_s - range.start_s - FOLLOWED * span_s;
  if (time_s < range.start_s) return revealing(range, time_s, whole_s);
  return ahead_s > 0 ? moved(range, placed(range.start_s + ahead_s, span_s, whole_s)) : range;
}

/** Return the range, moved no further than needed to show a time, with some of what is around it. */
export function revealing(range, time_s, whole_s) {
  const span_s = range.end_s - range.start_s;
  const start_s =
    time_s < range.start_s ? time_s - MARGIN * span_s : time_s - (1 - MARGIN) * span_s;
  const isSeen = time_s >= range.start_s && time_s <= range.end_s;
  return isSeen ? range : moved(range, placed(start_s, span_s, whole_s));
}

/** Return the marks of a ruler so wide: {time_s, label}, label null for a mark between labels. */
export function marks({ start_s, end_s }, width_px) {
  const perLabel_s = ((end_s - start_s) * LABEL_PX) / width_px;
  const step_s = STEPS_S.find((step) => step >= perLabel_s) ?? Math.max(...STEPS_S);
  const fine_s = step_s / 5;
  const list = [];
  for (let k = Math.ceil(start_s / fine_s); k * fine_s <= end_s; k++) {
    const time_s = k * fine_s;
    list.push({ time_s, label: k % 5 === 0 ? markText(time_s, step_s) : null });
  }
  return list;
}

function markText(time_s, step_s) {
  const digits = step_s < 0.1 ? 2 : step_s < 1 ? 1 : 0;
  const minutes = Math.floor((time_s + 1e-6) / 60);
  const seconds = Math.max(time_s - 60 * minutes, 0).toFixed(digits);
  return `${minutes}:${seconds.padStart(digits ? digits + 3 : 2, '0')}`;
}
