"""Frame rates of film and television, and SMPTE timecode labels, exact, drop-frame included.

Drop-frame (SMPTE ST 12-1): so that the labels of 29.97 and 59.94 keep step with real time, the
first 2 (4 at 59.94) labels of every minute are left out, but not in minutes 0, 10, 20, ...
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import total_ordering
from typing import Final

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.settings.table import setting


@dataclass(frozen=True, slots=True)
class FrameRate:
    """`numerator / denominator` frames per second, and whether its timecode drops labels."""

    name: str
    numerator: int
    denominator: int = 1
    drop_frame: bool = False

    @property
    def nominal(self) -> int:
        """Frames in one second of timecode label: 30 for 29.97."""
        return -(-self.numerator // self.denominator)

    @property
    def hz(self) -> float:
        """Frames per second of real time."""
        return self.numerator / self.denominator

    @property
    def frame_s(self) -> Fraction:
        """Seconds of real time in one frame, exactly."""
        return Fraction(self.denominator, self.numerator)

    def __str__(self) -> str:
        return self.name


FRAME_RATES: dict[str, FrameRate] = {
    rate.name: rate
    for rate in (
        FrameRate("23.976", 24000, 1001),
        FrameRate("24", 24),
        FrameRate("25", 25),
        FrameRate("29.97", 30000, 1001),
        FrameRate("29.97df", 30000, 1001, drop_frame=True),
        FrameRate("30", 30),
        FrameRate("47.952", 48000, 1001),
        FrameRate("48", 48),
        FrameRate("50", 50),
        FrameRate("59.94", 60000, 1001),
        FrameRate("59.94df", 60000, 1001, drop_frame=True),
        FrameRate("60", 60),
        FrameRate("72", 72),
        FrameRate("90", 90),
        FrameRate("96", 96),
        FrameRate("100", 100),
        FrameRate("119.88", 120000, 1001),
        FrameRate("120", 120),
    )
}
"""Every rate there is, by name. Only 29.97 and 59.94 have drop-frame labels; those of 23.976,
47.952 and 119.88 count to 24, 48 and 120, so that their day is 86.4 s longer than a day."""

DEFAULT_RATE: Final = FRAME_RATES[str(setting("fps").default)]

_FRACTION = re.compile(r"([0-9]{1,6})/([0-9]{1,4})")
_DECIMAL = re.compile(r"[0-9]{1,3}\.[0-9]{1,6}")


def parse_rate(text: str) -> FrameRate:
    """Return the rate of that name, whatever its case; UserError lists the names there are.

    A rate without drop-frame may also be written as a fraction, `24000/1001`, and rounded to two
    decimals or more, `23.98`.
    """
    word = text.strip().lower()
    rate = FRAME_RATES.get(word) or _spelled(word)
    if rate is None:
        known = ", ".join(FRAME_RATES)
        raise UserError(Problem("fps", f"unknown frame rate {text!r}", f"use one of {known}"))
    return rate


def _spelled(word: str) -> FrameRate | None:
    rates = [rate for rate in FRAME_RATES.values() if not rate.drop_frame]
    if fraction := _FRACTION.fullmatch(word):
        numerator, denominator = int(fraction[1]), int(fraction[2])
        same = (r for r in rates if numerator * r.denominator == r.numerator * denominator)
        return next(same, None)
    if _DECIMAL.fullmatch(word):
        given = Decimal(word)
        step = Decimal(1).scaleb(min(-2, int(given.as_tuple().exponent)))
        exact = {rate: Decimal(rate.numerator) / rate.denominator for rate in rates}
        return next((rate for rate in rates if exact[rate].quantize(step) == given), None)
    return None


LABEL = re.compile(r"(\d\d):(\d\d):(\d\d)([:;])(\d\d\d?)", re.ASCII)
"""Hours, minutes, seconds, frames; `;` before the frames means drop-frame. Beyond 100 frames a
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
            raise ValueError(
                f"{label!r} is not a timecode; write hh:mm:ss:ff (hh:mm:ss;ff for drop)"
            )
        hours, minutes, seconds, frames = (int(match[group]) for group in (1, 2, 3, 5))
        separator = ";" if rate.drop_frame else ":"
        if match[4] != separator:
            raise ValueError(f"{label!r}: at {rate} the frames follow a {separator!r}")
        if hours > 23 or minutes > 59 or seconds > 59 or frames >= rate.nominal:
            raise ValueError(f"{label!r} is beyond 23:59:59{separator}{rate.nominal - 1:02d}")
        dropped = dropped_per_minute(rate)
        if minutes % 10 and seconds == 0 and frames < dropped:
            raise ValueError(f"{label!r} is a label that {rate} drops")
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


def duration_text(seconds: float, decimals: int = 0) -> str:
    """Return a duration of 0 s or more as `1:02:03` or `2:03`, with `decimals` as `2:03.45`."""
    scale = 10**decimals
    whole, rest = divmod(round(seconds * scale), scale)
    minutes, whole = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02d}:{whole:02d}" if hours else f"{minutes}:{whole:02d}"
    return f"{text}.{rest:0{decimals}d}" if decimals else text
