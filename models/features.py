"""Sound as the networks receive it: finite mono at 16 kHz, and causal log-mel features.

A hop of 20 ms has two mel frames of 10 ms. The face network on log-mel features has bands of its
own (`log_mel`); the speech encoder has those of Whisper (`columns_of`). The constants serve every
form of the features; the arithmetic here is NumPy's, for faces on a CPU.
`cstalk_bridge.models.cstalk.network.LogMel` and `cstalk_bridge.models.encoder.network.WhisperMel`
have the same in torch, for training and GPUs.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float32]


def mono_16k(samples: ArrayLike, rate_hz: int) -> Floats:
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


def _floats(samples: NDArray[np.generic]) -> Floats:
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
LOUDEST = 1000.0  # samples beyond this are clipped: sound is within 1, and power must stay finite

# Log-mel of the face network.
FFT_SAMPLES = 512
BANDS = 64
LOWEST_HZ, HIGHEST_HZ = 60.0, 7600.0
FLOOR = 1e-6  # power at which the logarithm levels off: below the noise of any microphone
MEAN, SPREAD = -8.0, 4.0  # rough centre and width of log-mel speech, so that inputs are near unit
FEATURES = BANDS * HOP_SAMPLES // STEP_SAMPLES
HISTORY_SAMPLES = FRAME_SAMPLES - STEP_SAMPLES
"""Samples before a hop that its first mel frame depends on."""
KERNEL = 3
"""Taps of every convolution of the networks over time."""


@cache
def mel_filters() -> Floats:
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
def window() -> Floats:
    """Return the periodic Hann window of a mel frame, [FRAME_SAMPLES]."""
    turns = np.arange(FRAME_SAMPLES) / FRAME_SAMPLES
    return (0.5 - 0.5 * np.cos(2.0 * np.pi * turns)).astype(np.float32)


def framed(samples: Floats, size: int, step: int) -> Floats:
    """Return every whole frame of `size` samples, one each `step`, [voices, frames, size].

    A view of `samples`, [voices, time], that cannot be written to.
    """
    # Half the time of `sliding_window_view`, which is a tenth of a hop's features.
    voices, count = len(samples), 1 + (samples.shape[1] - size) // step
    by_voice, by_sample = samples.strides
    return np.lib.stride_tricks.as_strided(
        samples, (voices, count, size), (by_voice, step * by_sample, by_sample), writeable=False
    )


@cache
def _filters_by_bin() -> Floats:
    return np.ascontiguousarray(mel_filters().T)


def log_mel(samples: Floats) -> Floats:
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


# Log-mel of the speech encoder, which is Whisper's.
ENCODER_BANDS = 80
LINEAR_HZ, LINEAR_MELS = 1000.0, 15.0  # Slaney's scale is linear up to here, logarithmic above
MEL_RATIO = math.log(6.4) / 27.0
FLOOR_DECADES = -7.5  # under the noise of any microphone, over what rounding leaves
ENCODER_HISTORY_SAMPLES = 360
"""Samples before a hop that its first column depends on; its last column ends within the hop."""
COLUMNS = HOP_SAMPLES // STEP_SAMPLES
"""Columns of a hop."""


def slaney_filters() -> Floats:
    """Return triangles of unit area on Slaney's mel scale, 0 Hz to half the rate, [bands, bins]."""
    highest = LINEAR_MELS + math.log(SAMPLE_RATE_HZ / 2 / LINEAR_HZ) / MEL_RATIO
    mels = np.linspace(0, highest, ENCODER_BANDS + 2)
    above = LINEAR_HZ * np.exp((mels - LINEAR_MELS) * MEL_RATIO)
    edges_hz = np.where(mels < LINEAR_MELS, mels * LINEAR_HZ / LINEAR_MELS, above)
    bins_hz = np.arange(FRAME_SAMPLES // 2 + 1) * (SAMPLE_RATE_HZ / FRAME_SAMPLES)
    lower, centre, upper = (edges_hz[i : i + ENCODER_BANDS, None] for i in range(3))
    rising = (bins_hz - lower) / (centre - lower)
    falling = (upper - bins_hz) / (upper - centre)
    triangles = np.maximum(np.minimum(rising, falling), 0.0)
    return np.asarray(triangles * 2.0 / (upper - lower), dtype=np.float32)


@cache
def _encoder_filters() -> Floats:
    return np.ascontiguousarray(slaney_filters().T)


def columns_of(samples: Floats) -> Floats:
    """Return the columns [voices, COLUMNS * hops, bands] of sound, as `WhisperMel` does.

    `samples` is float32 [voices, ENCODER_HISTORY_SAMPLES + hops * HOP_SAMPLES].
    """
    bounded = np.minimum(np.maximum(samples, -LOUDEST), LOUDEST)
    count = (samples.shape[1] - ENCODER_HISTORY_SAMPLES) // HOP_SAMPLES * COLUMNS
    frames = framed(bounded, FRAME_SAMPLES, STEP_SAMPLES)[:, :count]
    spectrum = np.fft.rfft(frames * window())
    power = spectrum.real**2 + spectrum.imag**2
    mel = power.astype(np.float32, copy=False) @ _encoder_filters()
    np.maximum(mel, np.float32(10.0**FLOOR_DECADES), out=mel)
    np.log10(mel, out=mel)
    mel += 4.0
    mel *= 0.25
    return mel


# What the speech encoder's attention covers.
REACH_HOPS = 100
"""Hops before its own that a row attends to, in each layer: 2 s."""
RIGHT_HOPS: tuple[tuple[int, ...], ...] = ((0, 0, 0), (1, 1, 0), (2, 1, 1))
"""Hops after its own that a row attends to, by delay and layer."""
FRONT_HOPS = 2  # the columns and convolutions of a row end 32.5 ms after its time
MOST_RIGHT = max(max(hops) for hops in RIGHT_HOPS)


def delay_hops(delay: int) -> int:
    """Return how many hops of sound after its own begin a row needs, for an index of RIGHT_HOPS."""
    return FRONT_HOPS + sum(RIGHT_HOPS[delay])


WINDOW_HOPS = max((len(right) * REACH_HOPS) + FRONT_HOPS + 1 + sum(right) for right in RIGHT_HOPS)
"""Most hops that a row depends on: the reach of all layers together."""
MOST_DELAY_HOPS = max(delay_hops(delay) for delay in range(len(RIGHT_HOPS)))


def delay_within(lookahead_hops: int) -> int:
    """Return the longest delay, as an index of RIGHT_HOPS, that a look-ahead leaves time for.

    A look-ahead that leaves time for none gets the shortest.
    """
    fitting = [delay for delay in range(len(RIGHT_HOPS)) if delay_hops(delay) <= lookahead_hops]
    return max(fitting, default=0)
