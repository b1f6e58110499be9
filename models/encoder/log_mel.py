"""Whisper's log-mel in NumPy, and the numbers that every form of it and of the encoder shares.
Free of torch.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray


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


if TYPE_CHECKING:
    Floats = NDArray[np.float32]


STEP_SAMPLES = 160  # 10 ms, one column
FRAME_SAMPLES = 400  # 25 ms of sound in a column, and the size of its Fourier transform
BANDS = 80
LINEAR_HZ, LINEAR_MELS = 1000.0, 15.0  # Slaney's scale is linear up to here, logarithmic above
MEL_RATIO = math.log(6.4) / 27.0
FLOOR_DECADES = -7.5  # under the noise of any microphone, over what rounding leaves
LOUDEST = 1000.0  # samples beyond this are cut: sound is within 1, and power must stay finite
ENCODER_HISTORY_SAMPLES = 360
"""Samples before a hop that its first column depends on; its last column ends within the hop."""
COLUMNS = HOP_SAMPLES // STEP_SAMPLES
"""Columns of a hop."""


def slaney_filters() -> NDArray[np.float32]:
    """Return triangles of unit area on Slaney's mel scale, 0 Hz to half the rate, [bands, bins]."""
    highest = LINEAR_MELS + math.log(SAMPLE_RATE_HZ / 2 / LINEAR_HZ) / MEL_RATIO
    mels = np.linspace(0, highest, BANDS + 2)
    above = LINEAR_HZ * np.exp((mels - LINEAR_MELS) * MEL_RATIO)
    edges_hz = np.where(mels < LINEAR_MELS, mels * LINEAR_HZ / LINEAR_MELS, above)
    bins_hz = np.arange(FRAME_SAMPLES // 2 + 1) * (SAMPLE_RATE_HZ / FRAME_SAMPLES)
    lower, centre, upper = (edges_hz[i : i + BANDS, None] for i in range(3))
    rising = (bins_hz - lower) / (centre - lower)
    falling = (upper - bins_hz) / (upper - centre)
    triangles = np.maximum(np.minimum(rising, falling), 0.0)
    return np.asarray(triangles * 2.0 / (upper - lower), dtype=np.float32)


@cache
def _filters() -> Floats:
    return np.ascontiguousarray(slaney_filters().T)


@cache
def _window() -> Floats:
    turns = np.arange(FRAME_SAMPLES) / FRAME_SAMPLES
    return (0.5 - 0.5 * np.cos(2.0 * np.pi * turns)).astype(np.float32)


def columns_of(samples: Floats) -> Floats:
    """Return the columns [voices, COLUMNS * hops, bands] of sound, as `WhisperMel` does.

    `samples` is float32 [voices, HISTORY_SAMPLES + hops * HOP_SAMPLES].
    """
    bounded = np.minimum(np.maximum(samples, -LOUDEST), LOUDEST)
    count = (samples.shape[1] - ENCODER_HISTORY_SAMPLES) // HOP_SAMPLES * COLUMNS
    frames = framed(bounded, FRAME_SAMPLES, STEP_SAMPLES)[:, :count]
    spectrum = np.fft.rfft(frames * _window())
    power = spectrum.real**2 + spectrum.imag**2
    mel = power.astype(np.float32, copy=False) @ _filters()
    np.maximum(mel, np.float32(10.0**FLOOR_DECADES), out=mel)
    np.log10(mel, out=mel)
    mel += 4.0
    mel *= 0.25
    return mel


def framed(samples: NDArray[np.float32], size: int, step: int) -> NDArray[np.float32]:
    """Return every whole frame of `size` samples, one each `step`, [voices, frames, size].

    A view of `samples`, [voices, time], that cannot be written to.
    """
    # Half the time of `sliding_window_view`, which is a tenth of a hop's features.
    voices, count = len(samples), 1 + (samples.shape[1] - size) // step
    by_voice, by_sample = samples.strides
    return np.lib.stride_tricks.as_strided(
        samples, (voices, count, size), (by_voice, step * by_sample, by_sample), writeable=False
    )
