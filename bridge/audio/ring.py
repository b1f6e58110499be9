"""Between the audio callback and the thread that polls."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RING_BLOCKS = 100
"""Blocks kept for a reader who is late: one second, then the oldest are lost."""

GUARD_BLOCKS = 2
"""Blocks which a reader leaves to the writer, so that none is overwritten while it is copied."""


class Stamped(NamedTuple):
    """A block as the driver delivered it."""

    samples: NDArray[np.float32]
    """[frames, channels]"""
    arrived_s: float
    """Host time of the callback."""
    age_s: float
    """Time from the recording of the first sample to the callback, by the driver's clock."""


class BlockRing:
    """A ring for one writer and one reader, without locks and, for the writer, without memory.

    The writer never waits: it overwrites the oldest block, and the reader counts what it missed.
    """

    def __init__(self, frames: int, channels: int) -> None:
        self._samples = np.zeros((RING_BLOCKS, frames, channels), dtype=np.float32)
        self._stamps = np.zeros((RING_BLOCKS, 2))
        self._written = 0
        self._read = 0
        self.dropped = 0
        """Blocks overwritten before they were read."""

    @property
    def written(self) -> int:
        """Blocks written since the start."""
        return self._written

    def write(self, samples: NDArray[np.float32], arrived_s: float, age_s: float) -> None:
        """Copy a block, [frames, channels]."""
        slot = self._written % RING_BLOCKS
        self._samples[slot] = samples
        self._stamps[slot, 0] = arrived_s
        self._stamps[slot, 1] = age_s
        self._written += 1

    def read(self) -> list[Stamped]:
        """Return copies of the blocks written since the last time, oldest first."""
        written = self._written
        first = max(self._read, written - RING_BLOCKS + GUARD_BLOCKS)
        self.dropped += first - self._read
        self._read = written
        return [
            Stamped(self._samples[slot].copy(), *self._stamps[slot].tolist())
            for slot in (number % RING_BLOCKS for number in range(first, written))
        ]

    def skip(self) -> None:
        """Pass over what was written so far; that is no loss."""
        self._read = self._written
