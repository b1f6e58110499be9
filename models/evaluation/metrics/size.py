"""How large a motion is: what correlation cannot see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

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
