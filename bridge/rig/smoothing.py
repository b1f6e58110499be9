"""The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012, algorithm 1), many curves at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DERIVATIVE_CUTOFF_HZ = 1.0
"""Cut-off of the smoothed slope; the value of the paper."""


@dataclass(slots=True)
class OneEuroState:
    """What the filter remembers: its last outputs and slopes, [curves], and their time."""

    time_s: float | None = None
    values: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    slopes: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def reset(self) -> None:
        """Forget; the next values pass as they are."""
        self.time_s = None


@dataclass(frozen=True, slots=True)
class OneEuro:
    """A low-pass filter per curve whose cut-off rises with the speed of the curve.

    `min_cutoff_hz` and `beta` are [curves]; cut-off = min_cutoff_hz + beta * |slope per second|.
    """

    min_cutoff_hz: NDArray[np.float64]
    beta: NDArray[np.float64]

    def step(
        self, state: OneEuroState, values: NDArray[np.float32], time_s: float
    ) -> NDArray[np.float64]:
        """Return the smoothed values, [curves], and advance the state.

        A time that does not advance returns the last output again.
        """
        if state.time_s is None:
            state.time_s = time_s
            state.values = values.astype(np.float64)
            state.slopes = np.zeros_like(state.values)
            return state.values
        elapsed_s = time_s - state.time_s
        if elapsed_s <= 0:
            return state.values
        slopes = (values - state.values) / elapsed_s
        state.slopes = state.slopes + _share(DERIVATIVE_CUTOFF_HZ, elapsed_s) * (
            slopes - state.slopes
        )
        cutoff_hz = self.min_cutoff_hz + self.beta * np.abs(state.slopes)
        state.values = state.values + _share(cutoff_hz, elapsed_s) * (values - state.values)
        state.time_s = time_s
        return state.values


def _share(cutoff_hz: NDArray[np.float64] | float, elapsed_s: float) -> NDArray[np.float64]:
    """Return how much of a new value a first-order low-pass takes over."""
    return np.asarray(1.0 / (1.0 + 1.0 / (2.0 * math.pi * cutoff_hz * elapsed_s)))
