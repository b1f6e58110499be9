"""The frame rates of film and television: the one table of what `fps` may be."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

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
        FrameRate("24", 24),
        FrameRate("25", 25),
        FrameRate("29.97", 30000, 1001),
        FrameRate("29.97df", 30000, 1001, drop_frame=True),
        FrameRate("30", 30),
        FrameRate("48", 48),
        FrameRate("50", 50),
        FrameRate("59.94", 60000, 1001),
        FrameRate("59.94df", 60000, 1001, drop_frame=True),
        FrameRate("60", 60),
    )
}
"""Every rate there is, by name."""


def parse_rate(text: str) -> FrameRate:
    """Return the rate of that name, whatever its case; UserError lists the names there are."""
    rate = FRAME_RATES.get(text.strip().lower())
    if rate is None:
        known = ", ".join(FRAME_RATES)
        raise UserError(Problem("fps", f"there is no frame rate {text!r}", f"use one of {known}"))
    return rate
