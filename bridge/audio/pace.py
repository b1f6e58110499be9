"""Real time for sound that is already there."""

from __future__ import annotations

from bridge.audio.block import BLOCK_S, BLOCKS_PER_HOP

MAX_BEHIND_BLOCKS = 1000
"""How far a late reader is caught up with: ten seconds; beyond it the schedule moves on."""


class Pace:
    """The absolute schedule of blocks 0, 1, 2...: block k is due at start + (k + 1) x 10 ms.

    That is when a microphone would have delivered it. A reader who comes late gets all that is due
    at once. After a pause beyond `MAX_BEHIND_BLOCKS` (a suspended machine) the schedule is moved so
    that no more than these are due: nothing is left out, the rest comes later.
    """

    def __init__(self, start_s: float) -> None:
        self._start_s = start_s
        self._next = 0

    @property
    def next_due_s(self) -> float:
        """Host time at which the next block is due that completes a hop: more often is no use."""
        hops = self._next // BLOCKS_PER_HOP + 1
        return self._start_s + hops * BLOCKS_PER_HOP * BLOCK_S

    def captured_s(self, number: int) -> float:
        """Return the host time at which block `number` would have begun to be recorded."""
        return self._start_s + number * BLOCK_S

    def take(self, now_s: float) -> range:
        """Return the numbers of the blocks that became due."""
        due = int((now_s - self._start_s) / BLOCK_S + 1e-6) - self._next
        if due <= 0:
            return range(0)
        if due > MAX_BEHIND_BLOCKS:
            self._start_s += (due - MAX_BEHIND_BLOCKS) * BLOCK_S
            due = MAX_BEHIND_BLOCKS
        taken = range(self._next, self._next + due)
        self._next += due
        return taken
