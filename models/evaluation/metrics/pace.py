"""How long the work took."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def percentile_ms(durations_s: Sequence[float], percent: float) -> float:
    """Return a percentile of durations, in milliseconds; NaN of none."""
    return float(np.percentile(durations_s, percent) * 1000) if len(durations_s) else float("nan")


def real_time_factor(work_s: float, sound_s: float) -> float:
    """Return seconds of work for each second of sound: under 1 keeps up with speech."""
    return work_s / sound_s
