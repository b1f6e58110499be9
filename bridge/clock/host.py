"""The host clock: the one clock by which everything on this machine is timed."""

from __future__ import annotations

import time

# Not time.monotonic: on Windows that one moves in steps of 15.6 ms before Python 3.13. On Linux and
# macOS the two are the same clock, and everywhere all processes of a machine share its zero.
host_now = time.perf_counter
"""Seconds since some fixed moment of this machine; never goes backwards."""
