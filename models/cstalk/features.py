"""Sound as the networks receive it: finite mono at 16 kHz, and causal log-mel features.

Each 20 ms hop has two 10 ms mel frames. The constants serve every form of the features; the
arithmetic here is NumPy's, for faces on a CPU. `cstalk_bridge.models.cstalk.network.LogMel` has the
same in torch, for training and GPUs.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.encoder.log_mel import framed
from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def mono_16k(samples: ArrayLike, rate_hz: int) -> NDArray[np.float32]:
    """Return finite mono 16 kHz sound, [time]; ValueError for invalid samples.

    `samples` is [time] or [time, sources], floats -1..1 or PCM integers (uint8, int16, int32),
    whose full scale becomes 1. Channels are averaged.
    """
    sound = _floats(np.asarray(samples))
    if sound.ndim == 2:
        sound = sound.mean(1)
    if sound.ndim != 1:
        raise ValueError(f"samples of shape {sound.shape}: give [time] or [time, sources]")
    if not np.isfinite(sound).all():
        raise ValueError("samples hold values that are not finite")
    if not 8000 <= rate_hz <= 192_000:
        raise ValueError(f"rate {rate_hz} Hz: must be from 8000 to 192000 Hz")
    if rate_hz == SAMPLE_RATE_HZ:
        return sound
    import soxr

    return np.asarray(soxr.resample(sound, rate_hz, SAMPLE_RATE_HZ), dtype=np.float32)


def _floats(samples: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return samples of any PCM type as floats, full scale 1; ValueError for other types."""
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


STEP_SAMPLES = 160  # 10 ms, one mel frame
FRAME_SAMPLES = 400  # 25 ms of sound in a mel frame
FFT_SAMPLES = 512
BANDS = 64
LOWEST_HZ, HIGHEST_HZ = 60.0, 7600.0
FLOOR = 1e-6  # power at which the logarithm levels off: below the noise of any microphone
LOUDEST = 1000.0  # samples beyond this are clipped: sound is within 1, and power must stay finite
MEAN, SPREAD = -8.0, 4.0  # rough centre and width of log-mel speech, so that inputs are near unit
FEATURES = BANDS * HOP_SAMPLES // STEP_SAMPLES
HISTORY_SAMPLES = FRAME_SAMPLES - STEP_SAMPLES
"""Samples before a hop that its first mel frame depends on."""
KERNEL = 3
"""Taps of every convolution of the networks over time."""


@cache
def mel_filters() -> NDArray[np.float32]:
    """Return triangular filters on the mel scale (2595 log10(1 + f/700)), [bands, bins]."""
    lowest, highest = (2595.0 * np.log10(1.0 + hz / 700.0) for hz in (LOWEST_HZ, HIGHEST_HZ))
    edges_mel = np.linspace(lowest, highest, BANDS + 2)
    edges_hz = 700.0 * (10.0 ** (edges_mel / 2595.0) - 1.0)
    bins_hz = np.arange(FFT_SAMPLES // 2 + 1) * (SAMPLE_RATE_HZ / FFT_SAMPLES)
    lower, centre, upper = (edges_hz[i : i + BANDS, None] for i in range(3))
    rising = (bins_hz - lower) / (centre - lower)
    falling = (upper - bins_hz) / (upper - centre)
    return np.maximum(np.minimum(rising, falling), 0.0).astype(np.float32)


@cache
def window() -> NDArray[np.float32]:
    """Return the periodic Hann window of a mel frame, [FRAME_SAMPLES]."""
    turns = np.arange(FRAME_SAMPLES) / FRAME_SAMPLES
    return (0.5 - 0.5 * np.cos(2.0 * np.pi * turns)).astype(np.float32)


@cache
def _filters_by_bin() -> NDArray[np.float32]:
    return np.ascontiguousarray(mel_filters().T)


def log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the features of mono 16 kHz sound, float32 [voices, hops, FEATURES].

    `samples` is float32 [voices, HISTORY_SAMPLES + hops * HOP_SAMPLES] in -1..1; row k depends
    on nothing after sample `HISTORY_SAMPLES + (k + 1) * HOP_SAMPLES`. Nothing is padded.
    """
    bounded = np.minimum(np.maximum(samples, -LOUDEST), LOUDEST)
    frames = framed(bounded, FRAME_SAMPLES, STEP_SAMPLES)
    count = frames.shape[1]
    spectrum = np.fft.rfft(frames * window(), FFT_SAMPLES)
    power = spectrum.real**2 + spectrum.imag**2
    mel = power.astype(np.float32, copy=False) @ _filters_by_bin()
    mel += FLOOR
    np.log(mel, out=mel)
    mel -= MEAN
    mel *= 1.0 / SPREAD
    return mel.reshape(len(samples), count * STEP_SAMPLES // HOP_SAMPLES, FEATURES)
