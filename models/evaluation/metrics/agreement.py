"""How well a made curve follows a captured one, and how late it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
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
