"""The system clock as a source of the time of day, and what disciplines it.

Linux     chronyc -c tracking, else timedatectl show
Windows   w32tm /query /status
macOS     nothing that may be queried without an administrator

The tools are never required, and the ticks never wait for them.
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from cstalk_bridge.system.worker import Worker
from cstalk_bridge.timecode.chase import ClockReading
from cstalk_bridge.timecode.tick import clock_difference, host_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cstalk_bridge.timecode.chase import Chase


TOOL_TIMEOUT_S: Final = 2.0
"""How long a tool may take; a service that is down is waited for longer by some."""

_PTP: Final = re.compile(r"PHC|PTP|PTB", re.IGNORECASE)
"""Names of reference clocks which a network card's own clock gives."""

_NO_REFERENCES: Final = ("00000000", "7F7F0101")
"""What chrony names as reference where there is none, and where its own clock has to do."""

_TRACKING_FIELDS: Final = 14
_STATUS_LINES: Final = 8
_WINDOWS_UNSET: Final = re.compile(r"Free-running|Local CMOS|VM IC Time", re.IGNORECASE)


class ClockReference(Enum):
    """What steers the clock."""

    PTP = "PTP"
    NTP = "NTP"
    NONE = "not synchronised"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Discipline:
    """The state of the system clock: by what it is steered, from where, and how far it
    is ahead.

    `offset_s` is None where the tool does not report it.
    """

    steering: ClockReference
    source: str = ""
    offset_s: float | None = None

    def __str__(self) -> str:
        parts = [self.steering.value]
        if self.source:
            parts.append(self.source)
        if self.offset_s is not None:
            parts.append(f"{1e3 * self.offset_s:+.3f} ms")
        return " ".join(parts)


UNKNOWN_DISCIPLINE: Final = Discipline(ClockReference.UNKNOWN)


def _tool_output(command: Sequence[str]) -> str:
    """Return what a tool prints, "" where there is none, or it fails or takes too long."""
    try:
        done = subprocess.run(  # noqa: S603 - the commands below
            command,
            capture_output=True,
            timeout=TOOL_TIMEOUT_S,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")


def system_discipline(
    platform: str = sys.platform, output: Callable[[Sequence[str]], str] = _tool_output
) -> Discipline:
    """Return what disciplines the system clock; takes up to seconds. Never raises."""
    if platform == "win32":
        return parse_w32tm(output(["w32tm", "/query", "/status"]))
    if platform != "linux":
        return UNKNOWN_DISCIPLINE
    by_chrony = parse_chrony(output(["chronyc", "-c", "tracking"]))
    if by_chrony.steering is not ClockReference.UNKNOWN:
        return by_chrony
    return parse_timedatectl(output(["timedatectl", "show"]))


def parse_chrony(text: str) -> Discipline:
    """Read `chronyc -c tracking`: one line of 14 fields, with reference, stratum and offset."""
    fields = next(csv.reader(text.splitlines()), [])
    if len(fields) != _TRACKING_FIELDS:
        return UNKNOWN_DISCIPLINE
    reference, name, leap = fields[0], fields[1], fields[13]
    if leap == "Not synchronised" or reference in _NO_REFERENCES:
        return Discipline(ClockReference.NONE)
    steering = ClockReference.PTP if _PTP.match(name) else ClockReference.NTP
    try:
        # chrony reports by how much the system clock is slow.
        return Discipline(steering, name, -float(fields[4]))
    except ValueError:
        return Discipline(steering, name)


def parse_timedatectl(text: str) -> Discipline:
    """Read `timedatectl show`: lines `key=value`, of which `NTPSynchronized` counts."""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    match values.get("NTPSynchronized"):
        case "yes":
            return Discipline(ClockReference.NTP)
        case "no":
            return Discipline(ClockReference.NONE)
        case _:
            return UNKNOWN_DISCIPLINE


def parse_w32tm(text: str) -> Discipline:
    """Read `w32tm /query /status` in whatever language, by the order of its lines.

    The first tells whether the clock is synchronised, the eighth is the source.
    """
    lines = [line.partition(":")[2].strip() for line in text.splitlines() if ":" in line]
    if len(lines) < _STATUS_LINES:
        return UNKNOWN_DISCIPLINE
    source = lines[_STATUS_LINES - 1].split(",")[0]
    if lines[0].startswith("3") or _WINDOWS_UNSET.search(source) or not source:
        return Discipline(ClockReference.NONE)
    return Discipline(ClockReference.NTP, source)


SYSTEM_POLL_S: Final = 0.2
"""How often the system clock is read: what disciplines it changes its rate over minutes."""

DISCIPLINE_POLL_S: Final = 60.0
"""How often the discipline of the system clock is queried: that takes a process."""


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

    def read(self) -> ClockReading:
        """Return the time now."""
        host_s = self._now()
        wall_s = host_s + clock_difference(self._now, self._wall)
        return ClockReading(host_s, wall_s - self._midnight_s)


class SystemSource:
    """Reads the system clock for a chase until it is closed, and queries its discipline."""

    def __init__(
        self,
        chase: Chase,
        clock: SystemClock | None = None,
        discipline: Callable[[], Discipline] = system_discipline,
    ) -> None:
        self._chase = chase
        self._clock = clock or SystemClock()
        self._query = discipline
        self._discipline: Discipline | None = None
        self._clock_worker = Worker("system clock", self._read_clock)
        self._discipline_worker = Worker("clock discipline", self._query_discipline)
        self._clock_worker.start()
        self._discipline_worker.start()

    @property
    def text(self) -> str:
        """Its name for the user: `system clock (NTP pool.ntp.org +0.120 ms)`."""
        known = self._discipline
        if known is None or known.steering is ClockReference.UNKNOWN:
            return "system clock"
        return f"system clock ({known})"

    def close(self) -> None:
        """Stop reading; harmless when done twice. A pending query is abandoned."""
        self._discipline_worker.request_stop()
        self._clock_worker.stop()

    def _read_clock(self) -> None:
        while not self._clock_worker.wait(SYSTEM_POLL_S):
            self._chase.read(self._clock.read())

    def _query_discipline(self) -> None:
        self._discipline = self._query()
        while not self._discipline_worker.wait(DISCIPLINE_POLL_S):
            self._discipline = self._query()
