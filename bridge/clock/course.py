"""Our own time of day between two readings of a source, and how far two times are apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DAY_S: Final = 86_400.0
"""A day of the sun. One of timecode labels may be longer (`timecode.day_length_s`)."""

LEAD_S: Final = 1.0
"""Time in which our time is led to the source's; it runs no longer off its pace without one."""


@dataclass(frozen=True, slots=True)
class Course:
    """Our time: `day_s` at `host_s`, then (1 + `lead`) seconds a second for `LEAD_S`."""

    host_s: float
    day_s: float
    lead: float = 0.0

    def at(self, host_s: float) -> float:
        """Return our time of day at a host time; it does not wrap at midnight."""
        passed_s = host_s - self.host_s
        return self.day_s + passed_s + self.lead * min(passed_s, LEAD_S)


def apart(later_s: float, earlier_s: float, length_s: float = DAY_S) -> float:
    """Return by how much a time of day is later than another, at most half a day either way.

    `length_s` is that of the day.
    """
    return (later_s - earlier_s + length_s / 2) % length_s - length_s / 2
