"""When the frames of a stream came: how many a second, how evenly, and which did not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.monitor.rings import Rate, Spread

if TYPE_CHECKING:
    from bridge.listen.sighting import FrameTime

CAPACITY = 512
"""Arrivals of which the jitter is taken: 8 seconds at 60 fps."""

RATE_CAPACITY = 2048
"""Arrivals of which the rate is taken: its two seconds at `MAX_RATE_HZ`."""

RESTART_S = 10.0
"""A jump of the frame number by more is another beginning, and no loss."""


class Arrivals:
    """The frames of one stream.

    `lost` counts frame numbers that were left out, `late` frames that came after a newer one
    (these are not lost), `repeated` frames that came twice, `restarts` jumps of the frame number.
    Without frame numbers all four stay 0.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.lost = 0
        self.late = 0
        self.repeated = 0
        self.restarts = 0
        self._newest: FrameTime | None = None
        self._rate = Rate(RATE_CAPACITY)
        self._count = 0
        self._times_s = np.zeros(CAPACITY)
        self._due_s = np.full(CAPACITY, np.nan)

    @property
    def knows_losses(self) -> bool:
        """Whether the frames have numbers."""
        return self._newest is not None

    def add(self, now_s: float, time: FrameTime | None = None) -> None:
        """Count a frame that came at host time `now_s`."""
        self.frames += 1
        self._rate.add(now_s)
        if time is not None:
            self._number(time)
        slot = self._count % CAPACITY
        self._times_s[slot] = now_s
        self._due_s[slot] = np.nan if time is None else time.seconds
        self._count += 1

    def per_second(self, now_s: float) -> float:
        """Return the frames a second, over the last two seconds."""
        return self._rate.per_second(now_s)

    def jitter(self) -> Spread | None:
        """Return by how much the time between two frames was off, None for less than three.

        Off what the frame numbers say; without them, off the median time between two frames.
        """
        kept = min(self._count, CAPACITY)
        if kept < 3:
            return None
        slots = np.arange(self._count - kept, self._count) % CAPACITY
        gaps_s = np.diff(self._times_s[slots])
        due_s = np.diff(self._due_s[slots])
        expected_s = np.where(np.isfinite(due_s), due_s, np.median(gaps_s))
        median_s, p99_s, worst_s = np.percentile(np.abs(gaps_s - expected_s), (50, 99, 100))
        return Spread(float(median_s), float(p99_s), float(worst_s), len(gaps_s))

    def _number(self, time: FrameTime) -> None:
        newest = self._newest
        if newest is None or _is_restart(newest, time):
            self.restarts += newest is not None
            self._newest = time
            self._count = 0
            return
        # Rounded, for the frame times of phones drift against their frame numbers.
        step = round(time.position - newest.position)
        if step > 0:
            self.lost += step - 1
            self._newest = time
        elif step == 0:
            self.repeated += 1
        else:
            self.late += 1
            self.lost = max(self.lost - 1, 0)


def _is_restart(newest: FrameTime, time: FrameTime) -> bool:
    if (newest.numerator, newest.denominator) != (time.numerator, time.denominator):
        return True
    return abs(time.seconds - newest.seconds) > RESTART_S
