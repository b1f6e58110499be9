"""What looks wrong in the curves of a take, with its time: limits, standstill, sides, steps, jerk.

Each threshold is a choice, stated here and printed beside what it finds.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bridge.plot.measures import MAX_JERK, MAX_SPEED, STROKE_S, jerk, runs, speed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from bridge.plot.measures import Flags, Floats
    from bridge.rig.tables import Curve

NEAR = 1e-3
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
MOST_KEPT = 200
"""Findings of one kind that are kept, the worst ones; all are counted."""

NATURAL = {"gaze": frozenset({"uneven", "stuck"})}
"""What is no fault of a region: eyes look to one side, and rest on what they look at."""

QUICK = {"eyelid": 1.5}
"""How much faster than others a region may be: lids that are wide open fall through one and a half
of their range when they shut."""

STROKE = f"a stroke through the whole range in {STROKE_S * 1000:g} ms"
"""What the limits of speed and jerk are the peaks of."""
KINDS: Mapping[str, str] = {
    "clipped": f"on its limit for {CLIPPED_S:g} s or longer",
    "stuck": f"away from rest, without any motion for {STUCK_S:g} s or longer",
    "uneven": f"left and right differ by more than {UNEVEN:g} for {UNEVEN_S:g} s or longer",
    "step": f"faster than {MAX_SPEED:g} /s, {STROKE}",
    "jerk": f"rougher than {MAX_JERK:,.0f} /s\u00b3, {STROKE}",
}
"""What each kind of finding means."""

_THRESHOLDS = {
    "clipped": CLIPPED_S,
    "stuck": STUCK_S,
    "uneven": UNEVEN,
    "step": MAX_SPEED,
    "jerk": MAX_JERK,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that looks wrong in one curve from `start_s` to `end_s` of the take.

    `size` is how bad it is: seconds (clipped, stuck), share of the range (uneven), ranges per
    second (step), ranges per second cubed (jerk).
    """

    kind: str
    curve: str
    start_s: float
    end_s: float
    size: float


@dataclass(frozen=True, slots=True)
class Findings:
    """The worst findings in the order of time, at most `MOST_KEPT` of a kind, and all counts."""

    kept: tuple[Finding, ...]
    counts: Mapping[str, int]


class _Mark(NamedTuple):
    """Rows of one curve that show one kind, entry i at the time of row i + `shift`.

    Without `sizes` a finding's size is how long it lasts.
    """

    kind: str
    flags: Flags
    sizes: Floats | None = None
    least_s: float = 0.0
    shift: float = 0.0


def find(curves: Floats, table: Sequence[Curve], rate_hz: float, start_s: float = 0.0) -> Findings:
    """Search curves, [time, len(table)]; `start_s` is the time of row 0 within the take."""
    columns = {curve.name: column for column, curve in enumerate(table)}
    found: dict[str, list[Finding]] = {kind: [] for kind in KINDS}
    counts: Counter[str] = Counter()
    for column, curve in enumerate(table):
        mirror = columns.get(curve.mirror, column)
        # Each pair once, told of the curve that comes first.
        other = curves[:, mirror] * np.float32(curve.mirror_sign) if mirror > column else None
        for mark in _marks(np.ascontiguousarray(curves[:, column]), other, curve, rate_hz):
            if mark.kind in NATURAL.get(curve.region, ()):
                continue
            spans = _spans(mark, rate_hz)
            counts[mark.kind] += len(spans)
            sizes = _sizes(mark, spans, rate_hz)
            for place in np.argsort(-sizes, kind="stable")[:MOST_KEPT]:
                first_s, last_s = (start_s + (spans[place] + mark.shift) / rate_hz).tolist()
                size = float(sizes[place])
                found[mark.kind].append(Finding(mark.kind, curve.name, first_s, last_s, size))
    worst = [f for kind in found.values() for f in sorted(kind, key=_by_size)[:MOST_KEPT]]
    return Findings(tuple(sorted(worst, key=lambda finding: finding.start_s)), counts)


def _marks(values: Floats, other: Floats | None, curve: Curve, rate_hz: float) -> Iterator[_Mark]:
    """Yield what one curve [time] shows; `other` is what its mirrored curve makes of it."""
    span = curve.maximum - curve.minimum
    near = NEAR * span
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
        # A step is rough as well, and told once: jerk i is made of the speeds i to i + 2.
        stepping = steps[:-2] | steps[1:-1] | steps[2:]
        yield _Mark("jerk", (np.abs(jerks) > MAX_JERK) & ~stepping, jerks, shift=1.5)


def _spans(mark: _Mark, rate_hz: float) -> NDArray[np.intp]:
    """Return first row and row after the last of each finding, [findings, 2]."""
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


def _by_size(finding: Finding) -> float:
    return -finding.size


def excess(finding: Finding) -> float:
    """Return how far a finding is beyond its threshold, as a factor."""
    return finding.size / _THRESHOLDS[finding.kind]
