"""Where a square wave turns, found in its sound: of any level, with hum, offset and round edges."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNKS_PER_S: Final = 200
"""How often the level is measured anew. The chunks are the same however the sound is cut."""

RELEASE_S: Final = 0.1
"""Time constant with which a level that is no longer reached is forgotten: faster than a fader,
slower than the longest bit, 5 ms at a tenth of the speed."""

HYSTERESIS: Final = 0.3
"""Share of the amplitude by which the wave must pass its middle: noise there turns nothing."""

FLOOR: Final = 0.001
"""Amplitude, -60 dBFS, below which there is only noise."""


class EdgeFinder:
    """A stream of sound in, the places of its edges out.

    A place is in samples since the first, between samples where the wave crosses between them.
    """

    def __init__(self, rate_hz: int) -> None:
        self._size = max(1, rate_hz // CHUNKS_PER_S)
        self._keep = math.exp(-self._size / rate_hz / RELEASE_S)
        self._waiting = np.zeros(0, dtype=np.float32)
        self._place = 0
        self._last = 0.0
        self._side = 0
        self._high = self._low = 0.0

    @property
    def amplitude(self) -> float:
        """Half of the distance between the wave's two levels, full scale 1."""
        return (self._high - self._low) / 2

    def push(self, samples: NDArray[np.float32]) -> list[float]:
        """Take the next samples [time] and return the edges of the chunks that are complete."""
        sound = np.concatenate((self._waiting, np.nan_to_num(samples)))
        whole = len(sound) - len(sound) % self._size
        self._waiting = sound[whole:]
        edges: list[float] = []
        for first in range(0, whole, self._size):
            edges += self._edges(sound[first : first + self._size].astype(np.float64))
            self._place += self._size
        return edges

    def _edges(self, chunk: NDArray[np.float64]) -> list[float]:
        middle = self._follow(chunk)
        margin = HYSTERESIS * self.amplitude
        before, self._last = self._last, float(chunk[-1])
        if self.amplitude < FLOOR:
            self._side = 0
            return []
        sides = (chunk > middle + margin).astype(np.int8) - (chunk < middle - margin)
        beyond = np.flatnonzero(sides)
        sides = sides[beyond]
        earlier = np.concatenate(([self._side], sides[:-1]))
        self._side = int(sides[-1]) if len(sides) else self._side
        turned = (sides != earlier) & (earlier != 0)
        at = beyond[turned]
        after, ahead = chunk[at], np.concatenate(([before], chunk[:-1]))[at]
        # Crossed at the margin: the same delay for rising and falling edges.
        level = middle + margin * sides[turned]
        step = np.where(after == ahead, 1.0, after - ahead)
        places: list[float] = (self._place + at - np.clip((after - level) / step, 0, 1)).tolist()
        return places

    def _follow(self, chunk: NDArray[np.float64]) -> float:
        """Measure the wave's two levels and return their middle."""
        middle = (self._high + self._low) / 2
        self._high = max(float(chunk.max()), middle + self._keep * (self._high - middle))
        self._low = min(float(chunk.min()), middle + self._keep * (self._low - middle))
        return (self._high + self._low) / 2
