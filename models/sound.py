"""Sound as the generator hears it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.timing import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray


def mono_16k(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    """Return finite mono 16 kHz sound; ValueError for what is no sound."""
    sound = np.asarray(samples, dtype=np.float32)
    if sound.ndim == 2:
        sound = sound.mean(1)
    if sound.ndim != 1:
        raise ValueError(f"samples of shape {sound.shape}: give [time] or [time, sources]")
    if not np.isfinite(sound).all():
        raise ValueError("samples hold values that are not finite")
    if not 8000 <= rate_hz <= 192_000:
        raise ValueError(f"rate {rate_hz} Hz: it goes from 8000 to 192000 Hz")
    if rate_hz == SAMPLE_RATE_HZ:
        return sound
    import soxr

    return np.asarray(soxr.resample(sound, rate_hz, SAMPLE_RATE_HZ), dtype=np.float32)
