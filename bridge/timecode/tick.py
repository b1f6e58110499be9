"""The host clock and the tick: one wake-up per frame on an absolute schedule.

Ticks are numbered by the system clock's time of day at the start.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cstalk_bridge.timecode.smpte import FrameRate


# Not time.monotonic: on Windows that one moves in steps of 15.6 ms before Python 3.13. On Linux and
# macOS the two are the same clock, and everywhere all processes of a machine share its zero.
host_now = time.perf_counter
"""Seconds since some fixed moment of this machine; never goes backwards."""

CLOCK_READINGS = 5
"""Tries to read host and system clock together; the tightest pair counts."""


def clock_difference(now: Callable[[], float], wall: Callable[[], float]) -> float:
    """Return system clock minus host clock, by the reading that was interrupted least."""
    readings = []
    for _ in range(CLOCK_READINGS):
        before_s, wall_s, after_s = now(), wall(), now()
        readings.append((after_s - before_s, wall_s - (before_s + after_s) / 2))
    return min(readings)[1]


CATCH_UP_S = 0.250
"""Lateness up to which every overdue tick is still issued, one right after another. A quarter of a
second is 15 frames at 60 fps, a burst any receiver's socket buffer holds; beyond it ticks are
skipped."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One wake-up for one frame.

    `number` counts the schedule from 0. `due_s` is the presentation time on the host clock.
    `frame` is the frame number since local midnight of the day on which the ticker started; it
    does not wrap at 24 h. `subframe`, 0 <= subframe < 1, is the part of a frame beyond it.
    `lateness_s` is how long after `due_s` the tick was issued.
    """

    number: int
    due_s: float
    frame: int
    subframe: float = 0.0
    lateness_s: float = 0.0


class Ticker:
    """An endless iterator of ticks at `rate`, on the frame boundaries of the system clock.

    The system clock is read once, at the first tick: local time of day (daylight saving and all)
    gives the first frame number. From then on only the host clock counts: `frame` is +1 per tick
    whatever the system clock does, and `wall_offset_s` is how far that has moved away.

    Ticks that are overdue by up to `CATCH_UP_S` are issued at once, one after another. When later,
    the schedule continues with the newest tick that is due: `number` and `frame` jump alike, so
    that frame time stays presentation time, and `skipped` counts the ticks that were dropped.
    """

    def __init__(
        self,
        rate: FrameRate,
        *,
        now: Callable[[], float] = host_now,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        localtime: Callable[[float], time.struct_time] = time.localtime,
    ) -> None:
        self.rate = rate
        self.skipped = 0
        self._now = now
        self._wall = wall
        self._sleep = sleep
        self._localtime = localtime
        self._number = 0
        self._started = False
        self._origin_s = 0.0
        self._first_frame = 0
        self._wall_minus_host_s = 0.0

    def __iter__(self) -> Iterator[Tick]:
        return self

    def __next__(self) -> Tick:
        """Sleep until the next tick is due and return it."""
        if not self._started:
            self._start()
        due_s = self._due_s(self._number)
        while (lateness_s := self._now() - due_s) < 0:
            self._sleep(-lateness_s)
        if lateness_s > CATCH_UP_S:
            newest = self._number + int(lateness_s * self.rate.hz)
            self.skipped += newest - self._number
            self._number = newest
            lateness_s += due_s - self._due_s(newest)
        number = self._number
        self._number += 1
        return Tick(
            number, self._due_s(number), self._first_frame + number, 0.0, max(0.0, lateness_s)
        )

    @property
    def wall_offset_s(self) -> float:
        """Seconds by which the system clock is ahead of frame time; 0 until it is stepped."""
        if not self._started:
            return 0.0
        return clock_difference(self._now, self._wall) - self._wall_minus_host_s

    def _start(self) -> None:
        """Put tick 0 on the next frame boundary of the local time of day."""
        self._wall_minus_host_s = clock_difference(self._now, self._wall)
        host_s = self._now()
        wall_s = host_s + self._wall_minus_host_s
        local = self._localtime(wall_s)
        midnight_s = 3600 * local.tm_hour + 60 * local.tm_min + local.tm_sec + wall_s % 1.0
        self._first_frame = int(midnight_s * self.rate.hz) + 1
        boundary_s = self._first_frame * self.rate.denominator / self.rate.numerator
        self._origin_s = host_s + boundary_s - midnight_s
        self._started = True

    def _due_s(self, number: int) -> float:
        return self._origin_s + number * self.rate.denominator / self.rate.numerator
