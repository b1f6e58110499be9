"""DC block: a high-pass that takes out what is constant in a sound, and leaves every voice alone.

The usual one-pole form (J. O. Smith, Introduction to Digital Filters, "DC Blocker"):
y[n] = x[n] - x[n-1] + R y[n-1].
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CUTOFF_HZ: Final = 5.0
"""Where it falls by 3 dB: a deep voice, 80 Hz, loses 0.02 dB."""

BLOCK: Final = 128
"""Samples whose recursion is one product of matrices."""


class DcBlock:
    """A stream of float32 samples at `rate_hz` without their constant part, without delay.

    It begins as if the first sample had been there for ever, so that an offset makes no step. What
    comes out depends on the samples alone, not on how the stream is cut.
    """

    def __init__(self, rate_hz: float) -> None:
        pole = math.exp(-2.0 * math.pi * CUTOFF_HZ / rate_hz)
        ages = np.arange(BLOCK)[:, None] - np.arange(BLOCK)
        self._answers = np.where(ages >= 0, pole ** np.maximum(ages, 0), 0.0)
        self._decay = pole ** np.arange(1, BLOCK + 1)
        self._last_in: float | None = None
        self._last_out = 0.0

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the next samples, [time], all finite, without what is constant in them."""
        if not len(samples):
            return samples
        before = float(samples[0]) if self._last_in is None else self._last_in
        self._last_in = float(samples[-1])
        steps = np.diff(np.asarray(samples, dtype=np.float64), prepend=before)
        passed = np.empty(len(steps))
        whole = len(steps) // BLOCK * BLOCK
        answers = steps[:whole].reshape(-1, BLOCK) @ self._answers.T
        for place, answer in zip(range(0, whole, BLOCK), answers, strict=True):
            passed[place : place + BLOCK] = answer + self._decay * self._last_out
            self._last_out = float(passed[place + BLOCK - 1])
        rest = len(steps) - whole
        if rest:
            answer = self._answers[:rest, :rest] @ steps[whole:]
            passed[whole:] = answer + self._decay[:rest] * self._last_out
            self._last_out = float(passed[-1])
        return passed.astype(np.float32)
