"""The frame rates of film and television: the one table of what `fps` may be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from bridge.errors import Problem, UserError


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

SPAN: Final = "{} to {}".format(*(list(FRAME_RATES)[place] for place in (0, -1)))
"""The slowest and the fastest, in words for the user."""

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
        raise UserError(Problem("fps", f"there is no frame rate {text!r}", f"use one of {known}"))
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
