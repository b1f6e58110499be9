"""Where readings of the time of day come from: each source feeds a chase from a thread of its own.

They may stall or vanish; the ticks never wait for them.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from bridge.audio.opening import open_source
from bridge.audio.source import SourceState
from bridge.clock.chase import Reading
from bridge.clock.discipline import Steering, system_discipline
from bridge.clock.host import clock_difference, host_now
from bridge.clock.ltc_reader import LtcReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.audio.spec import AudioSpec
    from bridge.clock.chase import Chase
    from bridge.clock.discipline import Discipline

SYSTEM_PACE_S: Final = 0.2
"""How often the system clock is read: what disciplines it changes its pace over minutes."""

DISCIPLINE_PACE_S: Final = 60.0
"""How often it is asked what steers the system clock: that takes a process."""

IDLE_S: Final = 0.2
"""Longest sleep, so that a lost device is asked for and an end is seen."""


class SystemClock:
    """The time of day of the system clock, as NTP or PTP steer it.

    Midnight is that of the day on which it was made, so that daylight saving moves nothing.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float] = host_now,
        wall: Callable[[], float] = time.time,
        localtime: Callable[[float], time.struct_time] = time.localtime,
    ) -> None:
        self._now = now
        self._wall = wall
        wall_s = wall()
        local = localtime(wall_s)
        passed_s = 3600 * local.tm_hour + 60 * local.tm_min + local.tm_sec
        self._midnight_s = wall_s // 1.0 - passed_s

    def read(self) -> Reading:
        """Return what it says now."""
        host_s = self._now()
        wall_s = host_s + clock_difference(self._now, self._wall)
        return Reading(host_s, wall_s - self._midnight_s)


class SystemSource:
    """Reads the system clock for a chase until it is closed, and asks what steers it."""

    def __init__(
        self,
        chase: Chase,
        clock: SystemClock | None = None,
        discipline: Callable[[], Discipline] = system_discipline,
    ) -> None:
        self._chase = chase
        self._clock = clock or SystemClock()
        self._ask = discipline
        self._discipline: Discipline | None = None
        self._closing = threading.Event()
        self._reading = threading.Thread(target=self._read, name="system clock", daemon=True)
        self._asking = threading.Thread(target=self._look, name="clock discipline", daemon=True)
        self._reading.start()
        self._asking.start()

    @property
    def text(self) -> str:
        """What it is, in words for the user: `system clock (NTP pool.ntp.org +0.120 ms)`."""
        known = self._discipline
        if known is None or known.steering is Steering.UNKNOWN:
            return "system clock"
        return f"system clock ({known})"

    def close(self) -> None:
        """Stop reading; harmless when done twice. An answer that is awaited is left behind."""
        self._closing.set()
        self._reading.join()

    def _read(self) -> None:
        while not self._closing.wait(SYSTEM_PACE_S):
            self._chase.read(self._clock.read())

    def _look(self) -> None:
        self._discipline = self._ask()
        while not self._closing.wait(DISCIPLINE_PACE_S):
            self._discipline = self._ask()


class LtcSource:
    """Listens to linear timecode for a chase until it is closed.

    `spec` says where: any input and one of its channels; `offset_s` is how long the sound takes to
    get here. UserError where it cannot be opened.
    """

    def __init__(
        self,
        spec: AudioSpec,
        chase: Chase,
        *,
        offset_s: float = 0.0,
        now: Callable[[], float] = host_now,
    ) -> None:
        self._chase = chase
        self._offset_s = offset_s
        self._now = now
        self._wake = threading.Event()
        self._is_closing = False
        self._source, self.notice = open_source(spec, now=now, wake=self._wake, is_voice=False)
        self._reader = LtcReader(self._source.rate_hz, offset_s)
        self._thread = threading.Thread(target=self._run, name="timecode", daemon=True)
        self._thread.start()

    @property
    def text(self) -> str:
        """What it is and what it says, in words for the user: `LTC 29.97df 10:20:30;15`."""
        reader = self._reader
        return " ".join(filter(None, ("LTC", str(reader.rate or ""), reader.label)))

    def close(self) -> None:
        """Stop listening; harmless when done twice."""
        self._is_closing = True
        self._wake.set()
        self._thread.join()
        self._source.close()

    def _run(self) -> None:
        self._source.start()
        state = SourceState.RUNNING
        while not self._is_closing:
            due_s = self._source.next_due_s
            pause_s = IDLE_S if due_s is None else min(max(0.0, due_s - self._now()), IDLE_S)
            self._wake.wait(pause_s)
            self._wake.clear()
            blocks = self._source.poll(self._now())
            before, state = state, self._source.state
            if before is SourceState.LOST and state is SourceState.RUNNING:
                self._reader = LtcReader(self._source.rate_hz, self._offset_s)
            for block in blocks:
                for reading in self._reader.push(block):
                    self._chase.read(reading)
            if state is SourceState.LOST:
                self._source.reopen()
