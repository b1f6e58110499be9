"""Sound at any place between the samples of a stream, at a rate that may vary.

A windowed sinc with a Kaiser window, tabulated at `PHASES` places between two samples and
interpolated linearly between these (J. O. Smith, Digital Audio Resampling, "Theory of Ideal
Bandlimited Interpolation"). What it leaves of a sine below 0.8 of the lower Nyquist frequency is
more than 80 dB below it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cstalk_bridge.audio.stream import AudioHistory


PHASES: Final = 256

HALF_TAPS: Final = 16
"""Input samples on each side of a place, where the output's rate is not the lower one."""

MAX_HALF_TAPS: Final = 128
"""The same at most, for an output of an eighth of the rate."""

KAISER_BETA: Final = 9.0
"""Side lobes at -90 dB."""

CUTOFF: Final = 0.92
"""Middle of the fall, as a part of the lower Nyquist frequency."""


class InterpolatedSound(NamedTuple):
    """Samples float32 [count], and how many of them, at the end, the stream does not yet hold."""

    samples: NDArray[np.float32]
    missing: int


class Interpolator:
    """Reads a stream of `input_hz` samples for an output at about `output_hz`."""

    def __init__(self, input_hz: float, output_hz: float) -> None:
        ratio = min(1.0, output_hz / input_hz)
        self._half = min(math.ceil(HALF_TAPS / ratio), MAX_HALF_TAPS)
        self._table = _phase_table(self._half, CUTOFF * ratio)
        self._steps = np.diff(self._table, axis=0)
        self.reach_s = self._half / input_hz
        """How much sound after a place it needs."""

    def read(
        self, history: AudioHistory, place: float, step: float, count: int
    ) -> InterpolatedSound:
        """Return the sound at `place`, `place` + `step`, ... in samples of the stream."""
        places = place + step * np.arange(count)
        whole = np.floor(places).astype(np.int64)
        first = int(whole[0]) - self._half + 1
        stretch = history.read(first, int(whole[-1]) + self._half + 1 - first)
        windows = np.lib.stride_tricks.sliding_window_view(stretch, 2 * self._half)
        phases = PHASES * (places - whole)
        rows = np.minimum(phases.astype(np.int64), PHASES - 1)
        between = (phases - rows).astype(np.float32)[:, None]
        filters = self._table[rows] + between * self._steps[rows]
        samples = np.einsum("nk,nk->n", windows[whole - whole[0]], filters)
        missing = int(np.count_nonzero(whole + self._half >= history.end))
        return InterpolatedSound(np.asarray(samples, dtype=np.float32), missing)


def _phase_table(half: int, cutoff: float) -> NDArray[np.float32]:
    """Return the filter of every phase, [PHASES + 1, 2 * half], oldest tap first, with sum 1."""
    taps = np.arange(-half + 1, half + 1)
    distance = taps - np.arange(PHASES + 1)[:, None] / PHASES
    inside = np.clip(1.0 - (distance / half) ** 2, 0.0, 1.0)
    table = np.sinc(cutoff * distance) * np.i0(KAISER_BETA * np.sqrt(inside))
    return np.asarray(table / table.sum(axis=1, keepdims=True), dtype=np.float32)
