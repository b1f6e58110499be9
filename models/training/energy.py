"""Loudness of a clip against its own loud parts, and where in it somebody speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.timing import HOP_S, HOP_SAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANGE_DB = 40.0  # below the clip's loud parts by this much counts as silent
QUIET_DB = 35.0
"""A hop this far under the loud ones of its clip is no speech."""


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


def speech_span(sound: NDArray[np.float32]) -> tuple[float, float]:
    """Return when speech begins and ends in a clean clip [time] of 16 kHz, in seconds.

    Of hops of 20 ms, the first and the last whose power is within `QUIET_DB` of the clip's 95th
    percentile; (0, 0) where the clip is digital silence.
    """
    hops = len(sound) // HOP_SAMPLES
    power = np.square(sound[: hops * HOP_SAMPLES].reshape(-1, HOP_SAMPLES)).mean(1)
    if not power.any():
        return 0.0, 0.0
    heard = np.flatnonzero(power > np.percentile(power[power > 0], 95) / 10 ** (QUIET_DB / 10))
    return float(heard[0] * HOP_S), float((heard[-1] + 1) * HOP_S)
