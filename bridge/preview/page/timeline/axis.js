/** The stretch of time a timeline shows, and its ruler. Pure functions. */

const MIN_SPAN_S = 0.2;
const STEPS_S = [
  0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600,
];
const LABEL_PX = 80;

/** Return a range of this span within 0..end, as near to the wanted start as it can be. */
function placed(start_s, span_s, end_s) {
  const span = Math.min(Math.max(span_s, MIN_SPAN_S), Math.max(end_s, MIN_SPAN_S));
  const start = Math.min(Math.max(start_s, 0), Math.max(end_s - span, 0));
  return { start_s: start, end_s: start + span };
}

/** Return the range with `at_s` kept in its place and the span times `factor`. */
export function zoomed({ start_s, end_s }, at_s, factor, whole_s) {
  const span_s = Math.min(
    Math.max((end_s - start_s) * factor, MIN_SPAN_S),
    Math.max(whole_s, MIN_SPAN_S),
  );
  const part = (at_s - start_s) / (end_s - start_s);
  return placed(at_s - part * span_s, span_s, whole_s);
}

/** Return the range moved by some seconds. */
export const panned = ({ start_s, end_s }, by_s, whole_s) =>
  placed(start_s + by_s, end_s - start_s, whole_s);

/** Return the range, turned to the page that holds `time_s`. */
export function following(range, time_s, whole_s) {
  const span_s = range.end_s - range.start_s;
  if (time_s >= range.start_s && time_s <= range.end_s) return range;
  return placed(time_s - 0.1 * span_s, span_s, whole_s);
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
