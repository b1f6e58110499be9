"""Bounded rings of measurements: one thread writes, another reads, neither waits.

A reader copies the ring while the writer may be storing a value: it gets the newest `capacity`
values, with or without the one being written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


CAPACITY = 512
"""Measurements kept by a ring: ten seconds of hops, nine seconds of ticks at 60 fps."""

RATE_WINDOW_S = 2.0
"""Window of a rate: short enough to show a stall, long enough for steady digits."""

RATE_CAPACITY = 256
"""Samples kept by a rate: four seconds of ticks at 60 fps, twice its window."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The median, 99th percentile and maximum of the newest measurements, in seconds."""

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
        """Add one duration, in place of the oldest."""
        self._values[self._count % len(self._values)] = value_s
        self._count += 1

    def clear(self) -> None:
        """Remove all measurements; not while another thread writes."""
        self._count = 0

    def spread(self, newest: int | None = None) -> Spread | None:
        """Return the spread of the `newest` measurements, by default of all kept.

        None without measurements.
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
    """What recent ticks showed."""

    live: int
    """Ticks that showed the frame of their time."""
    held: int
    """Ticks that showed an older frame."""
    resting: int
    """Ticks that showed none, although one was due."""
    behind_s: float
    """Median lateness of the frames of `held`."""

    @property
    def missed(self) -> int:
        """Ticks without the frame of their time."""
        return self.held + self.resting


class ShownFaces:
    """What the ticks of the last seconds showed."""

    __slots__ = ("_count", "_late_s", "_times_s")

    def __init__(self, capacity: int = RATE_CAPACITY) -> None:
        self._times_s = np.full(capacity, -np.inf)
        self._late_s = np.zeros(capacity)
        self._count = 0

    def add(self, now_s: float, late_s: float) -> None:
        """Record a tick: `late_s` is 0 for a live frame, infinite for none, else its lateness."""
        slot = self._count % len(self._times_s)
        self._times_s[slot], self._late_s[slot] = now_s, late_s
        self._count += 1

    def recent(self, now_s: float, window_s: float = RATE_WINDOW_S) -> Shown:
        """Return what the ticks of the last `window_s` seconds showed."""
        late_s = self._late_s[self._times_s > now_s - window_s]
        held_s = late_s[(late_s > 0.0) & np.isfinite(late_s)]
        return Shown(
            live=int(np.count_nonzero(late_s == 0.0)),
            held=len(held_s),
            resting=int(np.count_nonzero(np.isinf(late_s))),
            behind_s=float(np.median(held_s)) if len(held_s) else 0.0,
        )


class Rate:
    """Samples of a counter that only grows, and its rate."""

    __slots__ = ("_count", "_times_s", "_totals")

    def __init__(self, capacity: int = RATE_CAPACITY) -> None:
        self._times_s = np.zeros(capacity)
        self._totals = np.zeros(capacity, dtype=np.int64)
        self._count = 0

    @property
    def total(self) -> int:
        """The newest sample of the counter, 0 before the first."""
        last = (self._count - 1) % len(self._totals)
        return int(self._totals[last]) if self._count else 0

    def read(self, now_s: float, total: int) -> None:
        """Sample the counter: `total` at host time `now_s`."""
        slot = self._count % len(self._totals)
        self._times_s[slot] = now_s
        self._totals[slot] = total
        self._count += 1

    def add(self, now_s: float, count: int = 1) -> None:
        """Increase the counter by `count` at host time `now_s`."""
        self.read(now_s, self.total + count)

    def recent(self, now_s: float) -> int:
        """Return the growth of the counter in the last `RATE_WINDOW_S` seconds."""
        times_s, totals = self._readings_in_order()
        if not len(totals):
            return 0
        before = int(np.searchsorted(times_s, now_s - RATE_WINDOW_S, side="right"))
        forgotten = self._count > len(totals)
        base = totals[before - 1] if before else totals[0] if forgotten else 0
        return int(totals[-1] - base)

    def per_second(self, now_s: float) -> float:
        """Return the rate over the last `RATE_WINDOW_S` seconds; 0 without samples in them."""
        times_s, totals = self._readings_in_order()
        inside = times_s > now_s - RATE_WINDOW_S
        if inside.sum() < 2:
            return 0.0
        times_s, totals = times_s[inside], totals[inside]
        span_s = times_s[-1] - times_s[0]
        return float((totals[-1] - totals[0]) / span_s) if span_s > 0 else 0.0

    def _readings_in_order(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return times and totals, oldest first, without the slot to be written next."""
        end = self._count
        start = max(0, end - len(self._totals) + 1)
        slots = np.arange(start, end) % len(self._totals)
        return self._times_s[slots], self._totals[slots]
