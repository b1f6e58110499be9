"""Measures of a take (speed, jerk, closures, gaze, blinks), and warnings with their times."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cstalk_bridge.face.procedural.animation import eye_angles_deg, sides
from cstalk_bridge.models.metrics.curves import FACE_DEG, SEALED, SHUT_LID, runs, saccade_sizes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.rig.curves import Curve
    from cstalk_bridge.takes.take import Take

    Floats = NDArray[np.float32]

    Flags = NDArray[np.bool_]


STROKE_S = 0.08
"""The shortest time in which a face is believed to go through a whole range. Lips that close for a
p or b take 80 to 100 ms."""
MAX_SPEED = 15 / 8 / STROKE_S
"""Ranges per second. The peak of a minimum-jerk movement, x = 10 t^3 - 15 t^4 + 6 t^5 with t from 0
to 1 (Flash and Hogan, J. Neuroscience 1985), through the whole range within `STROKE_S`."""
MAX_JERK = 60 / STROKE_S**3
"""Ranges per second cubed: the peak of the same movement's third derivative."""
MAX_LAG_S = 0.3
"""How far the mouth is looked for before and after the sound."""
FEWEST_ROWS = 10
"""Fewest rows of a meaningful correlation."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well the mouth follows the loudness.

    `together` is Pearson's r as they are; `best` the greatest r of all lags, found with the mouth
    `lag_s` behind the sound (negative: ahead of it).
    """

    together: float
    best: float
    lag_s: float


def speed(values: Floats, span: float, rate_hz: float) -> Floats:
    """Return the speed between rows, [time - 1], of one curve [time] whose range is `span` wide."""
    return np.diff(values) * np.float32(rate_hz / span)


def jerk(values: Floats, span: float, rate_hz: float) -> Floats:
    """Return the jerk, [time - 3], of one curve [time] whose range is `span` wide.

    The third difference over the cube of the row time, exact for cubics; entry i belongs to the
    time of row i + 1.5.
    """
    return np.diff(values, 3) * np.float32(rate_hz**3 / span)


def mouth_opening(jaw: Floats, lips_together: Floats) -> Floats:
    """Return how open the mouth is, 0..1 [time]: the jaw without what the lips close of it.

    `jaw` is `CTRL_C_jaw.ty`, `lips_together` the mean of the four lipsTogether channels, [time].
    It is what the rig map `arkit` sends as JawOpen - MouthClose.
    """
    return jaw * (1 - np.clip(lips_together, 0.0, 1.0))


def agreement(opening: Floats, loudness: Floats, rate_hz: float) -> Agreement | None:
    """Compare opening and loudness, both [time]; None where one of them does not change at all."""
    reach = min(round(MAX_LAG_S * rate_hz), len(opening) - FEWEST_ROWS)
    if reach < 0:
        return None
    found = {lag: _pearson(*_shifted(opening, loudness, lag)) for lag in range(-reach, reach + 1)}
    # The smallest of equal lags: a steady tone answers none.
    best = max(found, key=lambda lag: (round(found[lag], 6), -abs(lag)))
    if not found[best] and not found[0]:
        return None
    return Agreement(found[0], found[best], best / rate_hz)


def closures(lips_together: Floats) -> NDArray[np.intp]:
    """Return the first row and the row after the last of each time the lips seal, [closures, 2]."""
    return runs(lips_together > SEALED)


def rms(values: Floats) -> float:
    """Return the root of the mean square; 0 of nothing."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64)))) if values.size else 0.0


def _shifted(opening: Floats, loudness: Floats, lag: int) -> tuple[Floats, Floats]:
    """Return the rows that meet where the opening comes `lag` rows late."""
    rows = len(opening) - abs(lag)
    return opening[max(lag, 0) :][:rows], loudness[max(-lag, 0) :][:rows]


def _pearson(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(dtype=np.float64), b - b.mean(dtype=np.float64)
    spread = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / spread if spread > 1e-9 else 0.0


_BLINK = sides("eye_blink.ty")


@dataclass(frozen=True, slots=True, eq=False)
class EyesAndHead:
    """What eyes and head do in some rows.

    `gaze_deg` is [time, 2], yaw to the character's left and pitch up from where it faces at rest,
    head and eyes together; `head_deg` [time, 3] yaw, pitch, and roll to its right shoulder.
    `blinks` is [blinks, 2], first row and row after the last with shut lids; `shifts_deg` [shifts]
    the sizes of the saccades.
    """

    gaze_deg: Floats
    head_deg: Floats
    blinks: NDArray[np.intp]
    shifts_deg: Floats

    @property
    def is_still(self) -> bool:
        """Whether neither eyes nor head move."""
        return not (np.ptp(self.gaze_deg, axis=0).any() or np.ptp(self.head_deg, axis=0).any())

    @property
    def mutual_share(self) -> float:
        """The share of time on the partner's face."""
        return float(np.mean(np.hypot(*self.gaze_deg.T) <= FACE_DEG))


def measure_eyes_and_head(take: Take, rows: slice) -> EyesAndHead:
    """Return what eyes and head do in some rows of a take."""
    board, head = take.whole_board(rows), np.degrees(take.head[rows, :3])
    eyes = eye_angles_deg(board)
    shut = board[:, _BLINK].mean(axis=1) > SHUT_LID
    return EyesAndHead(eyes + head[:, :2], head, runs(shut), saccade_sizes(eyes, take.rate.hz))


NEAR_LIMIT = 1e-3
"""Share of a range within which a value is on its limit, or has not moved for a second."""
AT_REST = 0.02
"""Share of a range below which a curve is at rest, where standing still is natural."""
CLIPPED_S = 0.2
"""A value that stays on its limit that long; a blink or a closure is shorter."""
STUCK_S = 1.0
"""A value away from rest and limit that does not move for that long."""
UNEVEN = 0.2
"""Difference between left and right, as a share of the range."""
UNEVEN_S = 0.2
"""A difference that lasts that long."""
JOIN_S = 0.1
"""Findings of one curve that follow each other that soon are one."""
MAX_KEPT = 200
"""Findings of one kind that are kept, the worst ones; all are counted."""

NATURAL = {"gaze": frozenset({"uneven", "stuck"})}
"""What is no fault of a region: eyes look to one side, and rest on what they look at."""

QUICK = {"eyelid": 1.5}
"""How much faster than others a region may be: lids that are wide open fall through one and a half
of their range when they shut."""

STROKE = f"a stroke through the whole range in {STROKE_S * 1000:g} ms"
"""What the limits of speed and jerk are the peaks of."""
WARNING_KINDS: Mapping[str, str] = {
    "clipped": f"on its limit for {CLIPPED_S:g} s or longer",
    "stuck": f"away from rest, without any motion for {STUCK_S:g} s or longer",
    "uneven": f"left and right differ by more than {UNEVEN:g} for {UNEVEN_S:g} s or longer",
    "step": f"faster than {MAX_SPEED:g} /s, {STROKE}",
    "jerk": f"rougher than {MAX_JERK:,.0f} /s\u00b3, {STROKE}",
}
"""What each kind of warning means."""

_THRESHOLDS = {
    "clipped": CLIPPED_S,
    "stuck": STUCK_S,
    "uneven": UNEVEN,
    "step": MAX_SPEED,
    "jerk": MAX_JERK,
}


@dataclass(frozen=True, slots=True)
class CurveWarning:
    """One warning about one curve, from `start_s` to `end_s` of the take.

    `size` is how bad it is: seconds (clipped, stuck), share of the range (uneven), ranges per
    second (step), ranges per second cubed (jerk).
    """

    kind: str
    curve: str
    start_s: float
    end_s: float
    size: float


@dataclass(frozen=True, slots=True)
class CurveWarnings:
    """The worst warnings in the order of time, at most `MAX_KEPT` of a kind, and all counts."""

    kept: tuple[CurveWarning, ...]
    counts: Mapping[str, int]


class _Mark(NamedTuple):
    """Rows of one curve that show one kind, entry i at the time of row i + `shift`.

    Without `sizes` a warning's size is how long it lasts.
    """

    kind: str
    flags: Flags
    sizes: Floats | None = None
    least_s: float = 0.0
    shift: float = 0.0


def find_warnings(
    curves: Floats, table: Sequence[Curve], rate_hz: float, start_s: float = 0.0
) -> CurveWarnings:
    """Search curves, [time, len(table)]; `start_s` is the time of row 0 within the take."""
    columns = {curve.name: column for column, curve in enumerate(table)}
    found: dict[str, list[CurveWarning]] = {kind: [] for kind in WARNING_KINDS}
    counts: Counter[str] = Counter()
    for column, curve in enumerate(table):
        mirror = columns.get(curve.mirror, column)
        # Each pair once, reported for the curve that comes first.
        other = curves[:, mirror] * np.float32(curve.mirror_sign) if mirror > column else None
        for mark in _marks(np.ascontiguousarray(curves[:, column]), other, curve, rate_hz):
            if mark.kind in NATURAL.get(curve.region, ()):
                continue
            spans = _spans(mark, rate_hz)
            counts[mark.kind] += len(spans)
            sizes = _sizes(mark, spans, rate_hz)
            for place in np.argsort(-sizes, kind="stable")[:MAX_KEPT]:
                first_s, last_s = (start_s + (spans[place] + mark.shift) / rate_hz).tolist()
                size = float(sizes[place])
                found[mark.kind].append(CurveWarning(mark.kind, curve.name, first_s, last_s, size))
    worst = [f for kind in found.values() for f in sorted(kind, key=_by_size)[:MAX_KEPT]]
    return CurveWarnings(tuple(sorted(worst, key=lambda warning: warning.start_s)), counts)


def _marks(values: Floats, other: Floats | None, curve: Curve, rate_hz: float) -> Iterator[_Mark]:
    """Yield what one curve [time] shows; `other` is what its mirrored curve makes of it."""
    span = curve.maximum - curve.minimum
    near = NEAR_LIMIT * span
    limited = values >= curve.maximum - near
    if curve.minimum < 0:
        limited |= values <= curve.minimum + near
    yield _Mark("clipped", limited, None, CLIPPED_S)
    still = np.abs(np.diff(values, append=np.inf)) < near / rate_hz
    yield _Mark("stuck", still & ~limited & (np.abs(values) > AT_REST * span), None, STUCK_S)
    if other is not None:
        apart = (values - other) / np.float32(span)
        yield _Mark("uneven", np.abs(apart) > UNEVEN, apart, UNEVEN_S)
    speeds = speed(values, span, rate_hz)
    steps = np.abs(speeds) > MAX_SPEED * QUICK.get(curve.region, 1.0)
    yield _Mark("step", steps, speeds, shift=0.5)
    jerks = jerk(values, span, rate_hz)
    if len(jerks):
        # A step is rough as well, and reported once: jerk i is made of the speeds i to i + 2.
        stepping = steps[:-2] | steps[1:-1] | steps[2:]
        yield _Mark("jerk", (np.abs(jerks) > MAX_JERK) & ~stepping, jerks, shift=1.5)


def _spans(mark: _Mark, rate_hz: float) -> NDArray[np.intp]:
    """Return first row and row after the last of each warning, [warnings, 2]."""
    spans = runs(mark.flags)
    spans = spans[spans[:, 1] - spans[:, 0] >= mark.least_s * rate_hz]
    if not len(spans):
        return spans
    apart = spans[1:, 0] - spans[:-1, 1] > JOIN_S * rate_hz
    first, last = np.append(True, apart), np.append(apart, True)
    return np.stack((spans[first, 0], spans[last, 1]), axis=1)


def _sizes(mark: _Mark, spans: NDArray[np.intp], rate_hz: float) -> NDArray[np.float64]:
    if mark.sizes is None:
        return np.asarray((spans[:, 1] - spans[:, 0]) / rate_hz, dtype=np.float64)
    sizes = np.abs(mark.sizes)
    return np.array([sizes[first:last].max() for first, last in spans], dtype=np.float64)


def _by_size(warning: CurveWarning) -> float:
    return -warning.size


def excess(warning: CurveWarning) -> float:
    """Return how far a warning is beyond its threshold, as a factor."""
    return warning.size / _THRESHOLDS[warning.kind]
