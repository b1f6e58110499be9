"""Any rate to 16 kHz, as the sound comes in.

A polyphase windowed-sinc filter (Crochiere and Rabiner, Multirate Digital Signal Processing, 1983,
chapter 4) with a Kaiser window. Output sample n is the sound at n / 16000 s minus `delay_s`, so
that as much comes out as goes in, block by block.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.hop import HOP_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_RATE_HZ = 8000
MAX_RATE_HZ = 384_000

FILTER_DELAY_S = 0.002
"""Half the filter's length: 4 ms of taps fall 80 dB within 1.25 kHz."""

KAISER_BETA = 7.86
"""Side lobes at -80 dB (Kaiser's formula 0.1102 (A - 8.7))."""

CUTOFF = 0.925
"""Middle of the fall, as a part of the lower Nyquist frequency: 7.4 kHz, at 8 kHz all is gone."""

MAX_PHASES = 640
"""Filter phases kept. Every rate in use needs no more (11025 Hz: 640) and is exact; at any other
the place of a sample is rounded to 1/640 of an input sample: noise 70 dB below the sound."""


class Resampler:
    """A stream of float32 samples at `rate_hz` (8000..384000) to 16 kHz.

    At 16 kHz samples pass unchanged and without delay. ValueError for a rate out of range.
    """

    def __init__(self, rate_hz: int) -> None:
        if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
            raise ValueError(f"rate {rate_hz} Hz is not within {MIN_RATE_HZ}..{MAX_RATE_HZ} Hz")
        step = Fraction(rate_hz, HOP_RATE_HZ)
        self._step, self._parts = step.numerator, step.denominator
        self._phases = min(self._parts, MAX_PHASES)
        self._table = _phase_table(rate_hz, self._phases)
        self.delay_s = 0.0 if rate_hz == HOP_RATE_HZ else FILTER_DELAY_S
        """How far the output stays behind the input."""
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._history = np.zeros(self._table.shape[1] - 1, dtype=np.float32)
        self._position = 0
        """Where the next output lies after the start of the next block, in parts of a sample."""

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next samples, [frames], and return all output they complete, [n]."""
        if not self.delay_s:
            return samples
        if not len(samples):
            return samples[:0]
        heard = np.concatenate([self._history, samples], dtype=np.float32)
        self._history = heard[len(samples) :]
        span = len(samples) * self._parts
        count = max(0, -((self._position - span) // self._step))
        places = self._position + self._step * np.arange(count)
        self._position += self._step * count - span
        shape = (len(samples), self._table.shape[1])
        windows = np.ndarray(shape, np.float32, buffer=heard, strides=2 * heard.strides)
        starts, parts = np.divmod(places, self._parts)
        if self._parts == 1:
            return np.asarray(windows[starts] @ self._table[0], dtype=np.float32)
        rows = (parts * self._phases + self._parts // 2) // self._parts
        return np.asarray(np.einsum("nk,nk->n", windows[starts], self._table[rows]))


def _phase_table(rate_hz: int, phases: int) -> NDArray[np.float32]:
    """Return the filter of every phase, [phases + 1, taps], oldest tap first, each with sum 1.

    Row p is applied to the window that ends with the newest input sample at or before the output's
    place; the output lies p / phases of a sample after that one.
    """
    taps = int(2 * FILTER_DELAY_S * rate_hz) + 1
    age = np.arange(taps - 1, -1, -1) + np.arange(phases + 1)[:, None] / phases
    distance_s = age / rate_hz - FILTER_DELAY_S
    cutoff_hz = CUTOFF * min(rate_hz, HOP_RATE_HZ) / 2
    inside = np.clip(1.0 - (distance_s / FILTER_DELAY_S) ** 2, 0.0, 1.0)
    window = np.where(np.abs(distance_s) <= FILTER_DELAY_S, np.i0(KAISER_BETA * np.sqrt(inside)), 0)
    table = np.sinc(2.0 * cutoff_hz * distance_s) * window
    return np.asarray(table / table.sum(axis=1, keepdims=True), dtype=np.float32)
