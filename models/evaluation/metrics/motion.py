"""How smoothly a curve moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
