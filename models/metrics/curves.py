"""Comparison of generated curves and faces with captured ones.

Correlation and lag, distance in control space, size of motion (which correlation ignores), and
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
