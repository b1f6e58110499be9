"""What steers the system clock: asked of the tools that know, shown, and never required.

Linux     chronyc -c tracking, else timedatectl show
Windows   w32tm /query /status
macOS     nothing that may be asked without an administrator
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PATIENCE_S: Final = 2.0
"""How long a tool may take; a service that is down is waited for longer by some."""

_PTP: Final = re.compile(r"PHC|PTP|PTB", re.IGNORECASE)
"""Names of reference clocks which a network card's own clock gives."""

_NO_REFERENCES: Final = ("00000000", "7F7F0101")
"""What chrony names as reference where there is none, and where its own clock has to do."""

_TRACKING_FIELDS: Final = 14
_STATUS_LINES: Final = 8
_WINDOWS_UNSET: Final = re.compile(r"Free-running|Local CMOS|VM IC Time", re.IGNORECASE)


class Steering(Enum):
    """What steers the clock."""

    PTP = "PTP"
    NTP = "NTP"
    NONE = "not synchronised"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Discipline:
    """The state of the system clock: by what it is steered, from where, and how far it
    is ahead.

    `offset_s` is None where the tool does not say.
    """

    steering: Steering
    source: str = ""
    offset_s: float | None = None

    def __str__(self) -> str:
        parts = [self.steering.value]
        if self.source:
            parts.append(self.source)
        if self.offset_s is not None:
            parts.append(f"{1e3 * self.offset_s:+.3f} ms")
        return " ".join(parts)


UNKNOWN: Final = Discipline(Steering.UNKNOWN)


def _output(command: Sequence[str]) -> str:
    """Return what a tool prints, "" where there is none, or it fails or takes too long."""
    try:
        done = subprocess.run(  # noqa: S603 - the commands below
            command, capture_output=True, timeout=PATIENCE_S, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")


def system_discipline(
    platform: str = sys.platform, output: Callable[[Sequence[str]], str] = _output
) -> Discipline:
    """Ask what steers the system clock; takes up to seconds. Never raises."""
    if platform == "win32":
        return parse_w32tm(output(["w32tm", "/query", "/status"]))
    if platform != "linux":
        return UNKNOWN
    by_chrony = parse_chrony(output(["chronyc", "-c", "tracking"]))
    if by_chrony.steering is not Steering.UNKNOWN:
        return by_chrony
    return parse_timedatectl(output(["timedatectl", "show"]))


def parse_chrony(text: str) -> Discipline:
    """Read `chronyc -c tracking`: one line of 14 fields, with reference, stratum and offset."""
    fields = next(csv.reader(text.splitlines()), [])
    if len(fields) != _TRACKING_FIELDS:
        return UNKNOWN
    reference, name, leap = fields[0], fields[1], fields[13]
    if leap == "Not synchronised" or reference in _NO_REFERENCES:
        return Discipline(Steering.NONE)
    steering = Steering.PTP if _PTP.match(name) else Steering.NTP
    try:
        # It tells by how much the system clock is slow.
        return Discipline(steering, name, -float(fields[4]))
    except ValueError:
        return Discipline(steering, name)


def parse_timedatectl(text: str) -> Discipline:
    """Read `timedatectl show`: lines `key=value`, of which `NTPSynchronized` counts."""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    match values.get("NTPSynchronized"):
        case "yes":
            return Discipline(Steering.NTP)
        case "no":
            return Discipline(Steering.NONE)
        case _:
            return UNKNOWN


def parse_w32tm(text: str) -> Discipline:
    """Read `w32tm /query /status` in whatever language, by the order of its lines.

    The first tells whether the clock is synchronised, the eighth the source.
    """
    lines = [line.partition(":")[2].strip() for line in text.splitlines() if ":" in line]
    if len(lines) < _STATUS_LINES:
        return UNKNOWN
    source = lines[_STATUS_LINES - 1].split(",")[0]
    if lines[0].startswith("3") or _WINDOWS_UNSET.search(source) or not source:
        return Discipline(Steering.NONE)
    return Discipline(Steering.NTP, source)
