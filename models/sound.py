"""Sound as the generator hears it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.timing import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def mono_16k(samples: ArrayLike, rate_hz: int) -> NDArray[np.float32]:
    """Return finite mono 16 kHz sound, [time]; ValueError for what is no sound.

    `samples` is [time] or [time, sources], of floats -1..1 or of integers as PCM has them: 8 bits
    without a sign, 16 and 32 bits with one, full scale at the type's range.
    """
    sound = _floats(np.asarray(samples))
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


def _floats(samples: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return samples of any type that PCM has as floats, full scale 1; ValueError for others."""
    if np.issubdtype(samples.dtype, np.floating):
        return samples.astype(np.float32)
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128.0) / 128.0
    for kind in (np.int16, np.int32):
        if samples.dtype == kind:
            full_scale = -float(np.iinfo(kind).min)
            return (samples.astype(np.float64) / full_scale).astype(np.float32)
    raise ValueError(
        f"samples of type {samples.dtype}: give floats from -1 to 1, or uint8, int16 or int32 PCM"
    )
