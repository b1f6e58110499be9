"""Time of day from outside: following it, doing without it, and telling how far off we are.

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

from bridge.clock.course import DAY_S, LEAD_S, Course, apart
from bridge.clock.sync import Status, Sync

if TYPE_CHECKING:
    from bridge.clock.rate import FrameRate
    from bridge.clock.tick import Tick

LOCK_READINGS: Final = 5
"""Readings in a row that must agree before they are believed: a fifth of a second of timecode."""

KEPT_READINGS: Final = 25
"""Readings whose median counts, against the jitter of audio blocks; a jam, which is not mended
later, waits for them all. A second of timecode."""

AGREEMENT_S: Final = 0.010
"""How far two readings in a row may be apart: a third of the shortest frame of timecode. Timecode
at twice the speed is further."""

LOST_S: Final = 1.0
"""Age of the last reading after which there is no source."""

JUMP_S: Final = 0.100
"""Distance beyond which time is set at once; up to it time is led there, so that no frame is told
twice or left out in sight."""

MAX_LEAD: Final = 0.01
"""Share by which our time may run faster or slower meanwhile: a frame in a hundred."""

EDGE_FRAMES: Final = 0.25
"""How far time may be over a frame's edge before a number is told twice or left out."""


class Mode(Enum):
    """What is done with a source."""

    CHASE = "chase"
    """Followed while it is there, and gone on from where it left."""
    JAM = "jam"
    """Taken once; from then on the host clock counts."""
    FREE = "free"
    """Only compared with: time is the system's at the start."""


class Reading(NamedTuple):
    """At host time `host_s` a source said `day_s`, seconds of real time since midnight.

    Its day begins again after `length_s`.
    """

    host_s: float
    day_s: float
    length_s: float = DAY_S


@dataclass(frozen=True, slots=True)
class _Source:
    """What a source says: host time plus `offset_s` is its time of day, as of `host_s`."""

    host_s: float
    offset_s: float

    @property
    def day_s(self) -> float:
        """Its time of day at `host_s`."""
        return self.host_s + self.offset_s


class Chase:
    """Stamps ticks with the time of a source.

    One thread reads, the tick thread stamps, any may ask; what they share is swapped as a whole.
    """

    def __init__(self, rate: FrameRate, mode: Mode = Mode.CHASE) -> None:
        self.mode = mode
        self._rate = rate
        self._offsets: deque[float] = deque(maxlen=KEPT_READINGS)
        self._source: _Source | None = None
        self._course: Course | None = None
        self._shown: Course | None = None
        self._jumps = 0
        self._is_jammed = False
        self._number_offset: int | None = None
        self._length_s = DAY_S

    def read(self, reading: Reading) -> None:
        """Take the next reading; host times ascend."""
        offset_s = reading.day_s - reading.host_s
        self._length_s = reading.length_s
        if self._offsets and abs(self._apart(offset_s, self._offsets[-1])) > AGREEMENT_S:
            self._offsets.clear()
        # Kept beside its neighbours across midnight.
        near_s = self._offsets[-1] if self._offsets else offset_s
        self._offsets.append(near_s + self._apart(offset_s, near_s))
        if len(self._offsets) < LOCK_READINGS:
            return
        is_steady = len(self._offsets) == KEPT_READINGS
        self._source = _Source(reading.host_s, median(self._offsets))
        if self.mode is Mode.CHASE:
            self._follow(self._source)
        elif self.mode is Mode.JAM and not self._is_jammed and is_steady:
            self._is_jammed = True
            self._set(self._source)

    def jam(self) -> None:
        """In mode `JAM` take the time of the source anew, as soon as there is one."""
        self._is_jammed = False

    def stamp(self, tick: Tick) -> Tick:
        """Return the tick with our time: frame and subframe since midnight, which do not wrap.

        Before a source was believed, and in mode `FREE`, it stays as it is. Numbers go up by one;
        only where time drifted over a frame's edge, or was set anew, they do not.
        """
        course = self._course
        if course is None or self.mode is Mode.FREE:
            self._shown = Course(tick.due_s, (tick.frame + tick.subframe) / self._rate.hz)
            return tick
        self._shown = course
        frames = course.at(tick.due_s) * self._rate.hz
        offset = self._number_offset
        if offset is None or not (
            -EDGE_FRAMES <= frames - (tick.number + offset) < 1.0 + EDGE_FRAMES
        ):
            self._number_offset = offset = math.floor(frames) - tick.number
        frame = tick.number + offset
        subframe = min(max(frames - frame, 0.0), math.nextafter(1.0, 0.0))
        return replace(tick, frame=frame, subframe=subframe)

    def status(self, host_s: float) -> Status:
        """Tell how our time stands at a host time."""
        source, shown = self._source, self._shown
        is_locked = self._course is not None
        if source is None or shown is None or host_s - source.host_s > LOST_S:
            return Status(Sync.LOST, 0.0, is_locked, self._jumps)
        ahead_s = self._apart(shown.at(host_s), host_s + source.offset_s)
        tolerance_s = float(self._rate.frame_s)
        if abs(ahead_s) <= tolerance_s:
            sync = Sync.SYNCED
        else:
            sync = Sync.AHEAD if ahead_s > 0 else Sync.BEHIND
        return Status(sync, ahead_s, is_locked, self._jumps)

    def _follow(self, source: _Source) -> None:
        """Lead our time to the source's, or set it where it is far away."""
        course, host_s = self._course, source.host_s
        behind_s = self._apart(source.day_s, course.at(host_s)) if course else math.inf
        if course is None or abs(behind_s) > JUMP_S:
            self._set(source)
            return
        lead = min(max(behind_s / LEAD_S, -MAX_LEAD), MAX_LEAD)
        self._course = Course(host_s, course.at(host_s), lead)

    def _set(self, source: _Source) -> None:
        self._jumps += self._course is not None
        self._course = Course(source.host_s, source.day_s % self._length_s)

    def _apart(self, later_s: float, earlier_s: float) -> float:
        return apart(later_s, earlier_s, self._length_s)
