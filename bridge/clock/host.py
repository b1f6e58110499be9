"""The host clock: the one clock by which everything on this machine is timed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Not time.monotonic: on Windows that one moves in steps of 15.6 ms before Python 3.13. On Linux and
# macOS the two are the same clock, and everywhere all processes of a machine share its zero.
host_now = time.perf_counter
"""Seconds since some fixed moment of this machine; never goes backwards."""

CLOCK_READINGS = 5
"""Tries to read host and system clock together; the tightest pair counts."""


def clock_difference(now: Callable[[], float], wall: Callable[[], float]) -> float:
    """Return system clock minus host clock; being preempted between the two is seen."""
    readings = []
    for _ in range(CLOCK_READINGS):
        before_s, wall_s, after_s = now(), wall(), now()
        readings.append((after_s - before_s, wall_s - (before_s + after_s) / 2))
    return min(readings)[1]
