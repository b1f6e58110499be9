"""How smoothly a curve moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

JERK_RATE_HZ = 60
"""The rate at which peers' curves were measured."""


def jerk(curve: NDArray[np.float32], scale: float) -> float:
    """Return the mean absolute second difference at 60 Hz of a curve [rows] at 50 Hz, over `scale`.

    The figures that are known of other engines and of captured faces (0.02 to 0.04 is natural) are
    of curves scaled to their own 95th percentile: give that as `scale`. The curve is read at 60 Hz
    as the daemon does, linearly. A curve of fewer than three frames, or at rest, has none (0).
    """
    seconds = (len(curve) - 1) / ROW_RATE_HZ
    frames = int(seconds * JERK_RATE_HZ) + 1
    if frames < 3 or scale <= 0:
        return 0.0
    times = np.arange(frames) * (ROW_RATE_HZ / JERK_RATE_HZ)
    sampled = np.interp(times, np.arange(len(curve)), curve)
    return float(np.abs(np.diff(sampled, 2)).mean() / scale)
