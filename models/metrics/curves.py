"""Measures of curves over time: agreement with captured ones, lip closures, saccades and blinks.

Agreement is correlation and lag, distance in control space, size of motion (which correlation
ignores), and smoothness. Others report bilabial closures as well (Electronic Arts, arXiv
2507.18352); the thresholds are those of this project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.phones import PHONE_INDEX, VOWELS
from cstalk_bridge.models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


SEALED = 0.5
"""Lips together beyond this (board value, 0..1) seal the lips."""
FEWEST_ROWS = 6
"""Rows that a vowel must last to be counted: 0.12 s."""
EDGE_ROWS = 2
"""Rows at either end of a vowel that belong to its neighbours."""


@dataclass(frozen=True, slots=True)
class Closures:
    """Counts of closures in one or many clips.

    `sealed` of `closers` bilabials closed the lips, `false` of `vowels` vowels did; `gaps` is the
    narrowest opening (board values) during each bilabial.
    """

    sealed: int
    closers: int
    false: int
    vowels: int
    gaps: tuple[float, ...]

    def __add__(self, other: Closures) -> Closures:
        return Closures(
            self.sealed + other.sealed,
            self.closers + other.closers,
            self.false + other.false,
            self.vowels + other.vowels,
            self.gaps + other.gaps,
        )

    @property
    def rate(self) -> float:
        """Share of bilabials that are sealed, 0..1; NaN without any."""
        return self.sealed / self.closers if self.closers else float("nan")

    @property
    def false_rate(self) -> float:
        """Share of vowels that are sealed in their middle, 0..1; NaN without any."""
        return self.false / self.vowels if self.vowels else float("nan")


def closures(
    together: NDArray[np.float32],
    opening: NDArray[np.float32],
    phones: NDArray[np.int64],
    closers: Sequence[int],
    vowels: Sequence[int],
) -> Closures:
    """Count the closures of one clip; all curves are [rows] in board values.

    A bilabial is sealed when the lips are together beyond `SEALED` at any row from one before its
    first to one after its last. A vowel of at least `FEWEST_ROWS` rows is a false closure when they
    are so at any row further than `EDGE_ROWS` from its ends.
    """
    closer_rows = [slice(max(0, a - 1), b + 1) for a, b in runs(np.isin(phones, closers)).tolist()]
    open_rows = [
        slice(a + EDGE_ROWS, b - EDGE_ROWS)
        for vowel in vowels
        for a, b in runs(phones == vowel).tolist()
        if b - a >= FEWEST_ROWS
    ]
    return Closures(
        sealed=sum(bool(together[rows].max() > SEALED) for rows in closer_rows),
        closers=len(closer_rows),
        false=sum(bool(together[rows].max() > SEALED) for rows in open_rows),
        vowels=len(open_rows),
        gaps=tuple(float(opening[rows].min()) for rows in closer_rows),
    )


CLOSERS = [PHONE_INDEX[phone] for phone in "PBM"]
OPEN_VOWELS = [PHONE_INDEX[phone] for phone in ("AA", "AE", "AO")]
ALL_VOWELS = [PHONE_INDEX[phone] for phone in VOWELS]
NO_CLOSURES = Closures(0, 0, 0, 0, ())


AWAY_S = 0.3
"""Silence this close to speech belongs to the speech: breath, anticipation, closing."""
SHUT = 0.05
"""Opening (board values) up to which a mouth counts as shut: about 2 mm of jaw motion."""


def resting(opening: NDArray[np.float32], start_s: float, end_s: float) -> NDArray[np.float32]:
    """Return the opening, [rows], of a clip outside of its speech from `start_s` to `end_s`.

    `opening` is [rows] at 50 Hz from time 0; rows within `AWAY_S` of the speech are left out.
    """
    times_s = np.arange(len(opening)) / ROW_RATE_HZ
    return opening[(times_s < start_s - AWAY_S) | (times_s > end_s + AWAY_S)]


def closing_time(opening: NDArray[np.float32], end_s: float) -> float:
    """Return how long after `end_s`, the end of speech, a mouth is shut for good, in seconds.

    `opening` is [rows] at 50 Hz, interpolated linearly. A mouth that is shut at the end of speech
    gives 0, one that is open in the last row the whole remaining time.
    """
    rows_s = np.arange(len(opening)) / ROW_RATE_HZ
    is_open = np.flatnonzero((opening > SHUT) & (rows_s >= end_s))
    at_end = float(np.interp(end_s, rows_s, opening))
    if not len(is_open):
        following = np.flatnonzero(rows_s >= end_s)
        if at_end <= SHUT or not len(following):
            return 0.0
        before_s, before, after = end_s, at_end, int(following[0])
    else:
        last = int(is_open[-1])
        if last == len(opening) - 1:
            return float(rows_s[-1] - end_s)
        before_s, before, after = float(rows_s[last]), float(opening[last]), last + 1
    share = (before - SHUT) / (before - float(opening[after]))
    return before_s + share * (float(rows_s[after]) - before_s) - end_s


ONE_FRAME_S = 0.04
"""Window of `near`: one frame of the slowest capture (25 a second)."""
MAX_LAG_S = 0.2
"""Largest lag tried, in either direction."""
STEP_S = 0.01
"""Distance between the lags tried."""
LAGS_S = np.arange(-round(MAX_LAG_S / STEP_S), round(MAX_LAG_S / STEP_S) + 1) * STEP_S
"""The lags tried, [lags]; 0 in the middle."""
STILL = 1e-6
"""Standard deviation below which a curve counts as constant."""


def runs(flags: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return first row and row after the last of every run of true `flags` [time], [runs, 2]."""
    edges = np.diff(flags.astype(np.int8), prepend=0, append=0)
    return np.stack((np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)), axis=1)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Pearson's r of one clip at lag 0, the best within one frame, and at the best lag of all.

    `lag_s` is that best lag within `MAX_LAG_S`; positive where the generated curve is late.
    """

    at_zero_lag: float
    near: float
    best: float
    lag_s: float


def pearson(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return Pearson's r of two curves [time]; 0 where one of them is constant."""
    a, b = one - one.mean(), other - other.mean()
    if min(a.std(), b.std()) < STILL:
        return 0.0
    return float((a * b).mean() / (a.std() * b.std()))


def agreement(
    generated: NDArray[np.float32], times_s: NDArray[np.float64], captured: NDArray[np.float32]
) -> Agreement:
    """Compare a generated curve, [rows] at 50 Hz from time 0, with captured values at `times_s`.

    `times_s` [frames] is the audio time of each captured frame, its known lag removed. The
    generated curve is interpolated linearly between rows and held beyond its ends.
    """
    return summary(lagged(generated, times_s, captured))


def lagged(
    generated: NDArray[np.float32], times_s: NDArray[np.float64], captured: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return Pearson's r at each lag of `LAGS_S`, [lags], of curves as in `agreement`."""
    rows_s = np.arange(len(generated)) / ROW_RATE_HZ
    return np.array(
        [pearson(np.interp(times_s + lag_s, rows_s, generated), captured) for lag_s in LAGS_S]
    )


def summary(correlations: NDArray[np.float64]) -> Agreement:
    """Summarise r over `LAGS_S` [lags], of a clip or the mean of many."""
    near = np.abs(LAGS_S) <= ONE_FRAME_S + STEP_S / 2
    # Of equal correlations (a constant curve) the smallest lag.
    best = int(np.lexsort((np.abs(LAGS_S), -correlations))[0])
    return Agreement(
        float(correlations[len(LAGS_S) // 2]),
        float(correlations[near].max()),
        float(correlations[best]),
        float(LAGS_S[best]),
    )


def at_own_lag(correlations: NDArray[np.float64]) -> float:
    """Return the mean r of a person's clips at that person's lag; `correlations` [clips, lags].

    Sound and picture of one recording are often some frames apart, which lag 0 counts against a
    mouth. Each half of the clips is taken at the lag that suits the other half. NaN for one clip.
    """
    halves = correlations[::2], correlations[1::2]
    if not len(halves[1]):
        return float("nan")
    found = [
        half[:, summary(other.mean(0)).lag_s == LAGS_S] for half, other in (halves, halves[::-1])
    ]
    return float(np.concatenate(found).mean())


def squared_error(generated: NDArray[np.float32], captured: NDArray[np.float32]) -> float:
    """Return the squared distance of a frame, mean over frames; unit: squared values.

    Over the mouth's channels this is LVE, over those of brows, eyelids and cheeks EVE: per frame
    the sum over channels of the squared difference. The maximum over vertices of the mesh measures
    (Doubiiu/CodeTalker, cal_metric.py) becomes the sum, since a control already moves a region.
    """
    return float(np.square(_difference(generated, captured)).sum(1).mean())


def mean_distance(generated: NDArray[np.float32], captured: NDArray[np.float32]) -> float:
    """Return MVE: the Euclidean distance of a frame, mean over frames; unit: values."""
    return float(np.sqrt(np.square(_difference(generated, captured)).sum(1)).mean())


def dynamics_deviation(generated: NDArray[np.float32], captured: NDArray[np.float32]) -> float:
    """Return FDD of one clip: how much more the captured face varies; unit: squared values.

    Per frame the squared displacement from the neutral face (0) summed over channels; of that the
    standard deviation over time; captured less generated. Positive: the generated face moves too
    little. The sign can cancel in a mean over clips: report the mean of magnitudes too.
    """
    _difference(generated, captured)
    return float(np.square(captured).sum(1).std() - np.square(generated).sum(1).std())


def _difference(
    generated: NDArray[np.float32], captured: NDArray[np.float32]
) -> NDArray[np.float64]:
    if generated.shape != captured.shape:
        raise ValueError(
            f"faces of shapes {generated.shape} and {captured.shape} differ; they must be equal"
        )
    return generated.astype(np.float64) - captured


LOW_PERCENT, HIGH_PERCENT = 10, 90
FEWEST_PEOPLE = 3
"""Fewest people for a correlation of sizes."""


def extent(curve: NDArray[np.floating]) -> float:
    """Return the distance of the 10th to the 90th percentile of a curve [time]; NaN if empty."""
    if not len(curve):
        return float("nan")
    low, high = np.percentile(curve, (LOW_PERCENT, HIGH_PERCENT))
    return float(high - low)


def ratios(generated: Sequence[float], captured: Sequence[float]) -> NDArray[np.float64]:
    """Return generated over captured sizes, without those whose captured size is 0."""
    sizes = np.array(captured, dtype=np.float64)
    moved = sizes > 0
    return np.array(np.array(generated, dtype=np.float64)[moved] / sizes[moved])


JERK_RATE_HZ = 60
"""The rate at which peers' curves were measured."""
SCALE_PERCENT = 95
"""Percentile of a curve that is taken as its size."""
FEWEST_FRAMES = 3
"""Frames that a second difference needs."""


def jerk(curve: NDArray[np.float32]) -> float:
    """Return the mean absolute second difference at 60 Hz of a curve [rows] at 50 Hz.

    The curve is scaled to its own 95th percentile, as in published figures of other engines and of
    captured faces (0.02 to 0.04 is natural), and interpolated linearly, as by the daemon. 0 for a
    curve of fewer than three frames or at rest.
    """
    frames = int((len(curve) - 1) / ROW_RATE_HZ * JERK_RATE_HZ) + 1
    scale = float(np.percentile(curve, SCALE_PERCENT)) if len(curve) else 0.0
    if frames < FEWEST_FRAMES or scale <= 0:
        return 0.0
    times = np.arange(frames) * (ROW_RATE_HZ / JERK_RATE_HZ)
    sampled = np.interp(times, np.arange(len(curve)), curve)
    return float(np.abs(np.diff(sampled, 2)).mean() / scale)


SACCADE_DEG_S = 30.0
"""Gaze speed above which a saccade is detected; slower motion is pursuit or drift. The default of
EyeLink's parser and of Tobii's I-VT filter."""
MICROSACCADE_DEG = 1.0
"""A smaller shift is a micro-saccade."""
FACE_DEG = 4.5
"""Radius of the partner's face as seen by the character, within which gaze is mutual: 9 cm at
1.2 m."""
SHUT_LID = 0.5
"""Lid closure (board value, 0..1) above which it counts as a blink."""


def saccades(gaze_deg: NDArray[np.float32], rate_hz: float) -> NDArray[np.intp]:
    """Return first row and last row of each saccade of `gaze_deg` [time, 2], [saccades, 2].

    Gaze has its old direction in the first and its new one in the last; micro-saccades count.
    """
    speed_deg_s = np.hypot(*np.diff(gaze_deg, axis=0).T) * np.float32(rate_hz)
    return runs(speed_deg_s > SACCADE_DEG_S)


def saccade_sizes(gaze_deg: NDArray[np.float32], rate_hz: float) -> NDArray[np.float32]:
    """Return the sizes in degrees of the saccades of `gaze_deg` [time, 2], [saccades].

    Micro-saccades are left out.
    """
    spans = saccades(gaze_deg, rate_hz)
    sizes_deg = np.hypot(*(gaze_deg[spans[:, 1]] - gaze_deg[spans[:, 0]]).T)
    return np.asarray(sizes_deg[sizes_deg >= MICROSACCADE_DEG], dtype=np.float32)
