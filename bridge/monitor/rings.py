"""Bounded rings of measurements: one thread writes, another reads, neither waits.

A reader copies the ring while the writer may be storing one more value: what it gets is the newest
`capacity` values, give or take the one just being written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


CAPACITY = 512
"""Measurements a ring remembers: about ten seconds of hops, nine of ticks at 60 fps."""

RATE_WINDOW_S = 2.0
"""Time over which a rate is taken: short enough to see a stall, long enough for a steady digit."""

RATE_CAPACITY = 256
"""Readings a rate remembers: four seconds of ticks at 60 fps, twice its window."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The median, 99th percentile and greatest of the newest measurements, in seconds."""

    median_s: float
    p99_s: float
    worst_s: float
    count: int


class Percentiles:
    """The newest `capacity` durations, in seconds."""

    __slots__ = ("_count", "_values")

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._values = np.zeros(capacity, dtype=np.float32)
        self._count = 0

    def add(self, value_s: float) -> None:
        """Remember one duration, in place of the oldest."""
        self._values[self._count % len(self._values)] = value_s
        self._count += 1

    def clear(self) -> None:
        """Forget all; while nobody writes."""
        self._count = 0

    def spread(self, newest: int | None = None) -> Spread | None:
        """Return what the `newest` measurements were, all that are kept without a number.

        None while there are none.
        """
        count = self._count
        kept = min(count, len(self._values), newest or count)
        values = self._values[np.arange(count - kept, count) % len(self._values)]
        if not len(values):
            return None
        median_s, p99_s, worst_s = np.percentile(values, (50, 99, 100))
        return Spread(float(median_s), float(p99_s), float(worst_s), count)


@dataclass(frozen=True, slots=True)
class Shown:
    """How many of the newest ticks showed the face of their time, an older one, or none.

    `behind_s` is the median of how late the newest face was at ticks that held it.
    """

    live: int
    held: int
    resting: int
    behind_s: float

    @property
    def missed(self) -> int:
        """Ticks without the face of their time."""
        return self.held + self.resting


class ShownFaces:
    """What the ticks of the last `RATE_WINDOW_S` seconds showed of the generated face."""

    __slots__ = ("_count", "_late_s", "_times_s")

    def __init__(self, capacity: int = RATE_CAPACITY) -> None:
        self._times_s = np.full(capacity, -np.inf)
        self._late_s = np.zeros(capacity)
        self._count = 0

    def add(self, now_s: float, late_s: float) -> None:
        """Take a tick: `late_s` is 0 for a live face, infinite for none, else how late it was."""
        slot = self._count % len(self._times_s)
        self._times_s[slot], self._late_s[slot] = now_s, late_s
        self._count += 1

    def recent(self, now_s: float, window_s: float = RATE_WINDOW_S) -> Shown:
        """Return what the ticks of the last seconds showed."""
        late_s = self._late_s[self._times_s > now_s - window_s]
        held_s = late_s[(late_s > 0.0) & np.isfinite(late_s)]
        return Shown(
            live=int(np.count_nonzero(late_s == 0.0)),
            held=len(held_s),
            resting=int(np.count_nonzero(np.isinf(late_s))),
            behind_s=float(np.median(held_s)) if len(held_s) else 0.0,
        )


class Rate:
    """A counter that only grows, and how fast it does."""

    __slots__ = ("_count", "_times_s", "_totals")

    def __init__(self, capacity: int = RATE_CAPACITY) -> None:
        self._times_s = np.zeros(capacity)
        self._totals = np.zeros(capacity, dtype=np.int64)
        self._count = 0

    @property
    def total(self) -> int:
        """The counter's newest reading, 0 before the first."""
        last = (self._count - 1) % len(self._totals)
        return int(self._totals[last]) if self._count else 0

    def read(self, now_s: float, total: int) -> None:
        """Remember that the counter stood at `total` at host time `now_s`."""
        slot = self._count % len(self._totals)
        self._times_s[slot] = now_s
        self._totals[slot] = total
        self._count += 1

    def add(self, now_s: float, count: int = 1) -> None:
        """Count `count` more at host time `now_s`."""
        self.read(now_s, self.total + count)

    def recent(self, now_s: float) -> int:
        """Return by how much the counter grew in the last `RATE_WINDOW_S` seconds."""
        times_s, totals = self._readings_in_order()
        if not len(totals):
            return 0
        before = int(np.searchsorted(times_s, now_s - RATE_WINDOW_S, side="right"))
        forgotten = self._count > len(totals)
        base = totals[before - 1] if before else totals[0] if forgotten else 0
        return int(totals[-1] - base)

    def per_second(self, now_s: float) -> float:
        """Return the speed over the last `RATE_WINDOW_S` seconds; 0 once nothing is read."""
        times_s, totals = self._readings_in_order()
        inside = times_s > now_s - RATE_WINDOW_S
        if inside.sum() < 2:
            return 0.0
        times_s, totals = times_s[inside], totals[inside]
        span_s = times_s[-1] - times_s[0]
        return float((totals[-1] - totals[0]) / span_s) if span_s > 0 else 0.0

    def _readings_in_order(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return times and totals, oldest first, without the slot that is written next."""
        end = self._count
        start = max(0, end - len(self._totals) + 1)
        slots = np.arange(start, end) % len(self._totals)
        return self._times_s[slots], self._totals[slots]
