"""SMPTE timecode: frame numbers and their labels, exact, drop-frame included.

Drop-frame (SMPTE ST 12-1): so that the labels of 29.97 and 59.94 keep step with real time, the
first 2 (4 at 59.94) labels of every minute are left out, but not in minutes 0, 10, 20, ...
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

    from bridge.clock.rate import FrameRate

LABEL = re.compile(r"(\d\d):(\d\d):(\d\d)([:;])(\d\d\d?)", re.ASCII)
"""Hours, minutes, seconds, frames; `;` before the frames says drop-frame. Beyond 100 frames a
second some have three digits, as Unreal writes them too."""


def dropped_per_minute(rate: FrameRate) -> int:
    """Labels left out at the start of a minute: 2 per 30 nominal frames, none without drop."""
    return rate.nominal // 15 if rate.drop_frame else 0


def frames_per_day(rate: FrameRate) -> int:
    """Frames until the label is 00:00:00:00 again."""
    ten_minutes = 600 * rate.nominal - 9 * dropped_per_minute(rate)
    return 144 * ten_minutes


def day_length_s(rate: FrameRate) -> Fraction:
    """Return the real time until the label is the same again: 86,486.4 s at 23.976."""
    return frames_per_day(rate) * rate.frame_s


@total_ordering
@dataclass(frozen=True, slots=True)
class Timecode:
    """The frame of that number since midnight, at that rate.

    `frame` is not wrapped at 24 hours and may be negative; only the label wraps. Two timecodes of
    different rates cannot be ordered or subtracted: ValueError.
    """

    rate: FrameRate
    frame: int

    @classmethod
    def from_label(cls, rate: FrameRate, label: str) -> Timecode:
        """Read `hh:mm:ss:ff`, or `hh:mm:ss;ff` for drop-frame; ValueError for no such label."""
        match = LABEL.fullmatch(label)
        if match is None:
            raise ValueError(f"{label!r} is no timecode; write hh:mm:ss:ff (hh:mm:ss;ff for drop)")
        hours, minutes, seconds, frames = (int(match[group]) for group in (1, 2, 3, 5))
        separator = ";" if rate.drop_frame else ":"
        if match[4] != separator:
            raise ValueError(f"{label!r}: at {rate} a {separator!r} stands before the frames")
        if hours > 23 or minutes > 59 or seconds > 59 or frames >= rate.nominal:
            raise ValueError(f"{label!r} is beyond 23:59:59{separator}{rate.nominal - 1:02d}")
        dropped = dropped_per_minute(rate)
        if minutes % 10 and seconds == 0 and frames < dropped:
            raise ValueError(f"{label!r} is one of the labels which {rate} leaves out")
        minute = 60 * hours + minutes
        number = (60 * minute + seconds) * rate.nominal + frames
        return cls(rate, number - dropped * (minute - minute // 10))

    @classmethod
    def from_seconds(cls, rate: FrameRate, seconds: Fraction) -> Timecode:
        """Return the frame that is on at that real time since midnight."""
        return cls(rate, int(seconds // rate.frame_s))

    @property
    def seconds(self) -> Fraction:
        """Real time since midnight at which the frame begins, exactly."""
        return self.frame * self.rate.frame_s

    @property
    def label(self) -> str:
        """`hh:mm:ss:ff`, `hh:mm:ss;ff` for drop-frame, within one day."""
        rate = self.rate
        number = self.frame % frames_per_day(rate) + self._labels_left_out()
        seconds, frames = divmod(number, rate.nominal)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        separator = ";" if rate.drop_frame else ":"
        return f"{hours:02d}:{minutes:02d}:{seconds:02d}{separator}{frames:02d}"

    def _labels_left_out(self) -> int:
        """Count the labels left out between midnight and this frame of the day."""
        dropped = dropped_per_minute(self.rate)
        if not dropped:
            return 0
        minute = 60 * self.rate.nominal - dropped
        tens, rest = divmod(self.frame % frames_per_day(self.rate), 10 * minute + dropped)
        # Minute 0 of each ten is `dropped` frames longer than the nine others.
        return dropped * (9 * tens + max(0, (rest - dropped) // minute))

    def __str__(self) -> str:
        return self.label

    def __add__(self, frames: int) -> Timecode:
        return Timecode(self.rate, self.frame + frames)

    def __sub__(self, frames: int) -> Timecode:
        return Timecode(self.rate, self.frame - frames)

    def frames_since(self, earlier: Timecode) -> int:
        """Return how many frames lie between the earlier one and this one."""
        self._need_same_rate(earlier)
        return self.frame - earlier.frame

    def __lt__(self, other: Timecode) -> bool:
        self._need_same_rate(other)
        return self.frame < other.frame

    def _need_same_rate(self, other: Timecode) -> None:
        if self.rate != other.rate:
            raise ValueError(f"timecodes at {self.rate} and {other.rate} cannot be compared")
