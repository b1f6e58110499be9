"""Chase: following an external time of day, going on without it, and reporting the difference.

A source (linear timecode, the system clock) gives readings: at that host time it was that time of
day. Ticks come by the host clock alone; what changes is the number that is stamped on them.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from enum import Enum
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from cstalk_bridge.timecode.smpte import FrameRate
    from cstalk_bridge.timecode.tick import Tick


DAY_S: Final = 86_400.0
"""A day of the sun. One of timecode labels may be longer (`timecode.day_length_s`)."""

SLEW_S: Final = 1.0
"""Time in which our time is slewed to the source's; without a source it runs no longer than that
at another rate."""


@dataclass(frozen=True, slots=True)
class ClockModel:
    """Our time: `day_s` at `host_s`, then (1 + `slew`) seconds per second for `SLEW_S`."""

    host_s: float
    day_s: float
    slew: float = 0.0

    def at(self, host_s: float) -> float:
        """Return our time of day at a host time; it does not wrap at midnight."""
        passed_s = host_s - self.host_s
        return self.day_s + passed_s + self.slew * min(passed_s, SLEW_S)


def day_difference_s(later_s: float, earlier_s: float, length_s: float = DAY_S) -> float:
    """Return by how much a time of day is later than another, at most half a day either way.

    `length_s` is that of the day.
    """
    return (later_s - earlier_s + length_s / 2) % length_s - length_s / 2


class SyncState(Enum):
    """Our time beside the source's."""

    SYNCED = "synced"
    AHEAD = "ahead"
    BEHIND = "behind"
    LOST = "lost"
    """No source, or none that is consistent; our time goes on by the host clock."""


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """State of our time: `ahead_s` is how far it is ahead of the source, 0 without one.

    With `is_locked` our time is, or once was, the source's. `jumps` counts how often it was set
    again.
    """

    sync: SyncState
    ahead_s: float
    is_locked: bool
    jumps: int


LOCK_READINGS: Final = 5
"""Readings in a row that must agree before they are used: a fifth of a second of timecode."""

KEPT_READINGS: Final = 25
"""Readings whose median counts, against the jitter of audio blocks; a jam, which is not corrected
later, waits for them all. A second of timecode."""

AGREEMENT_S: Final = 0.010
"""How far two readings in a row may be apart: a third of the shortest frame of timecode. Timecode
at twice the speed is further."""

LOST_S: Final = 1.0
"""Age of the last reading after which there is no source."""

JUMP_S: Final = 0.100
"""Difference beyond which time is set at once; up to it time is slewed, so that no frame number is
visibly repeated or skipped."""

MAX_SLEW: Final = 0.01
"""Share by which our time may run faster or slower meanwhile: a frame in a hundred."""

EDGE_FRAMES: Final = 0.25
"""How far time may be past a frame's edge before a number is repeated or skipped."""


class ChaseMode(Enum):
    """How a source is used."""

    CHASE = "chase"
    """Followed while it is there; afterwards time continues from it."""
    JAM = "jam"
    """Set once; from then on the host clock counts."""
    FREE = "free"
    """Only compared with: time is that of the system at the start."""


class ClockReading(NamedTuple):
    """A source's time of day `day_s` at host time `host_s`, seconds of real time since midnight.

    Its day starts again after `length_s`.
    """

    host_s: float
    day_s: float
    length_s: float = DAY_S


@dataclass(frozen=True, slots=True)
class _SourceTime:
    """The time of a source: host time plus `offset_s` is its time of day, as of `host_s`."""

    host_s: float
    offset_s: float

    @property
    def day_s(self) -> float:
        """Its time of day at `host_s`."""
        return self.host_s + self.offset_s


class Chase:
    """Stamps ticks with the time of a source.

    One thread reads, the tick thread stamps, any may call `status`; shared state is swapped whole.
    """

    def __init__(self, rate: FrameRate, mode: ChaseMode = ChaseMode.CHASE) -> None:
        self.mode = mode
        self._rate = rate
        self._offsets: deque[float] = deque(maxlen=KEPT_READINGS)
        self._source: _SourceTime | None = None
        self._clock: ClockModel | None = None
        self._shown: ClockModel | None = None
        self._jumps = 0
        self._is_jammed = False
        self._number_offset: int | None = None
        self._length_s = DAY_S

    def read(self, reading: ClockReading) -> None:
        """Process the next reading; host times ascend."""
        offset_s = reading.day_s - reading.host_s
        self._length_s = reading.length_s
        if self._offsets and abs(self._difference_s(offset_s, self._offsets[-1])) > AGREEMENT_S:
            self._offsets.clear()
        # Kept beside its neighbours across midnight.
        near_s = self._offsets[-1] if self._offsets else offset_s
        self._offsets.append(near_s + self._difference_s(offset_s, near_s))
        if len(self._offsets) < LOCK_READINGS:
            return
        is_steady = len(self._offsets) == KEPT_READINGS
        self._source = _SourceTime(reading.host_s, median(self._offsets))
        if self.mode is ChaseMode.CHASE:
            self._follow(self._source)
        elif self.mode is ChaseMode.JAM and not self._is_jammed and is_steady:
            self._is_jammed = True
            self._set(self._source)

    def jam(self) -> None:
        """In mode `JAM` set time from the source again, as soon as there is one."""
        self._is_jammed = False

    def stamp(self, tick: Tick) -> Tick:
        """Return the tick with our time: frame and subframe since midnight, which do not wrap.

        Before a source is used, and in mode `FREE`, it is unchanged. Numbers go up by one, except
        where time drifted past a frame's edge or was set again.
        """
        clock = self._clock
        if clock is None or self.mode is ChaseMode.FREE:
            self._shown = ClockModel(tick.due_s, (tick.frame + tick.subframe) / self._rate.hz)
            return tick
        self._shown = clock
        frames = clock.at(tick.due_s) * self._rate.hz
        offset = self._number_offset
        if offset is None or not (
            -EDGE_FRAMES <= frames - (tick.number + offset) < 1.0 + EDGE_FRAMES
        ):
            self._number_offset = offset = math.floor(frames) - tick.number
        frame = tick.number + offset
        subframe = min(max(frames - frame, 0.0), math.nextafter(1.0, 0.0))
        return replace(tick, frame=frame, subframe=subframe)

    def status(self, host_s: float) -> SyncStatus:
        """Return the state of our time at a host time."""
        source, shown = self._source, self._shown
        is_locked = self._clock is not None
        if source is None or shown is None or host_s - source.host_s > LOST_S:
            return SyncStatus(SyncState.LOST, 0.0, is_locked, self._jumps)
        ahead_s = self._difference_s(shown.at(host_s), host_s + source.offset_s)
        tolerance_s = float(self._rate.frame_s)
        if abs(ahead_s) <= tolerance_s:
            sync = SyncState.SYNCED
        else:
            sync = SyncState.AHEAD if ahead_s > 0 else SyncState.BEHIND
        return SyncStatus(sync, ahead_s, is_locked, self._jumps)

    def _follow(self, source: _SourceTime) -> None:
        """Slew our time to the source's, or set it where it is far away."""
        clock, host_s = self._clock, source.host_s
        behind_s = self._difference_s(source.day_s, clock.at(host_s)) if clock else math.inf
        if clock is None or abs(behind_s) > JUMP_S:
            self._set(source)
            return
        slew = min(max(behind_s / SLEW_S, -MAX_SLEW), MAX_SLEW)
        self._clock = ClockModel(host_s, clock.at(host_s), slew)

    def _set(self, source: _SourceTime) -> None:
        self._jumps += self._clock is not None
        self._clock = ClockModel(source.host_s, source.day_s % self._length_s)

    def _difference_s(self, later_s: float, earlier_s: float) -> float:
        return day_difference_s(later_s, earlier_s, self._length_s)
