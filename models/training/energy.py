"""Loudness of a clip against its own loud parts: what a captured mouth follows besides phones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANGE_DB = 40.0  # below the clip's loud parts by this much counts as silent


def relative_loudness(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return loudness in 0..1 at each row of mono 16 kHz `samples`, [time].

    1 is the clip's 95th percentile, 0 is `RANGE_DB` under it; each row averages 40 ms around it.
    """
    frames = len(samples) // HOP_SAMPLES
    padded = np.pad(samples, (HOP_SAMPLES, HOP_SAMPLES))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * HOP_SAMPLES)[::HOP_SAMPLES]
    power = np.square(windows[:frames]).mean(1) + 1e-10
    level_db = 10.0 * np.log10(power)
    loud_db = np.percentile(level_db, 95)
    loudness = np.clip(1.0 + (level_db - loud_db) / RANGE_DB, 0.0, 1.0)
    return np.asarray(loudness, dtype=np.float32)


def smooth(curve: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Return `curve` [time] under a centred Hann window of `frames` rows."""
    window = np.hanning(frames + 2)[1:-1]
    smoothed = np.convolve(curve, window / window.sum(), mode="same")[: len(curve)]
    return np.asarray(smoothed, dtype=np.float32)
