"""How a generated curve or face compares with a captured one.

Correlation and lag, distance in control space, size of motion (what correlation cannot see), and
smoothness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


ONE_FRAME_S = 0.04
"""Window of `near`: one frame of the slowest capture (25 a second)."""
WIDEST_S = 0.2
"""Window in which `lag_s` is looked for."""
STEP_S = 0.01
"""Distance between the lags tried."""
LAGS_S = np.arange(-round(WIDEST_S / STEP_S), round(WIDEST_S / STEP_S) + 1) * STEP_S
"""The lags tried, [lags]; 0 in the middle."""
STILL = 1e-6
"""Standard deviation under which a curve stands still."""


def runs(flags: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return first row and row after the last of every run of true `flags` [time], [runs, 2]."""
    edges = np.diff(flags.astype(np.int8), prepend=0, append=0)
    return np.stack((np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)), axis=1)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Pearson's r of one clip at lag 0, the best within one frame, and at the best lag of all.

    `lag_s` is that best lag within `WIDEST_S`; positive: the made curve comes late.
    """

    together: float
    near: float
    best: float
    lag_s: float


def pearson(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return Pearson's r of two curves [time]; 0 where one of them stands still."""
    a, b = one - one.mean(), other - other.mean()
    if min(a.std(), b.std()) < STILL:
        return 0.0
    return float((a * b).mean() / (a.std() * b.std()))


def agreement(
    made: NDArray[np.float32], times_s: NDArray[np.float64], true: NDArray[np.float32]
) -> Agreement:
    """Compare a made curve, [rows] at 50 Hz from audio time 0, with captured values at `times_s`.

    `times_s` [frames] is the audio time of each captured frame, its known lag taken out. The made
    curve is read between rows linearly, beyond its ends it stays.
    """
    return summary(lagged(made, times_s, true))


def lagged(
    made: NDArray[np.float32], times_s: NDArray[np.float64], true: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return Pearson's r at each lag of `LAGS_S`, [lags], of curves as in `agreement`."""
    rows_s = np.arange(len(made)) / ROW_RATE_HZ
    return np.array([pearson(np.interp(times_s + lag_s, rows_s, made), true) for lag_s in LAGS_S])


def summary(course: NDArray[np.float64]) -> Agreement:
    """Return what a course of r over `LAGS_S` [lags] tells: that of a clip, or a mean of many."""
    near = np.abs(LAGS_S) <= ONE_FRAME_S + STEP_S / 2
    # Of equal correlations (a still curve) the smallest lag.
    best = int(np.lexsort((np.abs(LAGS_S), -course))[0])
    return Agreement(
        float(course[len(LAGS_S) // 2]),
        float(course[near].max()),
        float(course[best]),
        float(LAGS_S[best]),
    )


def squared_error(made: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    """Return the squared distance of a frame, mean over frames; unit: squared values.

    Over the mouth's channels this is LVE, over those of brows, eyelids and cheeks EVE: per frame
    the sum over channels of the squared difference. The maximum over vertices of the mesh measures
    (Doubiiu/CodeTalker, cal_metric.py) becomes the sum, since a control already moves a region.
    """
    return float(np.square(_difference(made, true)).sum(1).mean())


def mean_distance(made: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    """Return MVE: the Euclidean distance of a frame, mean over frames; unit: values."""
    return float(np.sqrt(np.square(_difference(made, true)).sum(1)).mean())


def dynamics_deviation(made: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    """Return FDD of one clip: how much more the true face varies; unit: squared values.

    Per frame the squared displacement from the neutral face (0) summed over channels; of that the
    standard deviation over time; true less made. Positive: the made face is too still. It is
    signed, so a mean over clips may cancel: take the mean of magnitudes beside it.
    """
    _difference(made, true)
    return float(np.square(true).sum(1).std() - np.square(made).sum(1).std())


def _difference(made: NDArray[np.float32], true: NDArray[np.float32]) -> NDArray[np.float64]:
    if made.shape != true.shape:
        raise ValueError(f"faces of shapes {made.shape} and {true.shape}: they must be equal")
    return made.astype(np.float64) - true


LOW_PERCENT, HIGH_PERCENT = 10, 90
FEWEST_PEOPLE = 3
"""People between whom a correlation of sizes means something."""


def extent(curve: NDArray[np.floating]) -> float:
    """Return the way between the 10th and the 90th percentile of a curve [time]; NaN of none."""
    if not len(curve):
        return float("nan")
    low, high = np.percentile(curve, (LOW_PERCENT, HIGH_PERCENT))
    return float(high - low)


def ratios(made: Sequence[float], true: Sequence[float]) -> NDArray[np.float64]:
    """Return how large each made size is beside the true one; those without a true one left out."""
    sizes = np.array(true, dtype=np.float64)
    moved = sizes > 0
    return np.array(np.array(made, dtype=np.float64)[moved] / sizes[moved])


JERK_RATE_HZ = 60
"""The rate at which peers' curves were measured."""
SCALE_PERCENT = 95
"""Percentile of a curve that counts as its size."""
FEWEST_FRAMES = 3
"""Frames that a second difference needs."""


def jerk(curve: NDArray[np.float32]) -> float:
    """Return the mean absolute second difference at 60 Hz of a curve [rows] at 50 Hz.

    The curve is scaled to its own 95th percentile, as those whose figures are known: of other
    engines, and of captured faces (0.02 to 0.04 is natural). It is read at 60 Hz as the daemon
    does, linearly. A curve of fewer than three frames, or at rest, has none (0).
    """
    frames = int((len(curve) - 1) / ROW_RATE_HZ * JERK_RATE_HZ) + 1
    scale = float(np.percentile(curve, SCALE_PERCENT)) if len(curve) else 0.0
    if frames < FEWEST_FRAMES or scale <= 0:
        return 0.0
    times = np.arange(frames) * (ROW_RATE_HZ / JERK_RATE_HZ)
    sampled = np.interp(times, np.arange(len(curve)), curve)
    return float(np.abs(np.diff(sampled, 2)).mean() / scale)
