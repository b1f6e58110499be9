"""What one datagram says of one stream, in the same words for every protocol."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.clock.rate import FrameRate
from bridge.clock.timecode import Timecode

MAX_NAME_CHARACTERS = 64
"""Longer names of subjects and curves are cut: they are there to be read in a line."""

MIN_RATE_HZ, MAX_RATE_HZ = 1.0, 1000.0
"""Frame rates of cameras and phones, and then some; beyond them a frame number tells no time."""


@dataclass(frozen=True, slots=True)
class FrameTime:
    """When a frame is to be shown: a frame number, not wrapped at 24 h, and its rate."""

    frame: int
    subframe: float
    numerator: int
    denominator: int

    @property
    def rate_hz(self) -> float:
        """Frames per second."""
        return self.numerator / self.denominator

    @property
    def position(self) -> float:
        """Frames since midnight, with the subframe."""
        return self.frame + self.subframe

    @property
    def seconds(self) -> float:
        """Seconds since midnight."""
        return self.position * self.denominator / self.numerator

    @property
    def is_usable(self) -> bool:
        """Whether the rate is one at which faces are sent."""
        return MIN_RATE_HZ <= self.rate_hz <= MAX_RATE_HZ

    @property
    def label(self) -> str:
        """`hh:mm:ss:ff` without drop-frame, which no packet tells."""
        return Timecode(FrameRate("", self.numerator, self.denominator), self.frame).label


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """What a datagram says of one stream.

    `subject` and `device` are empty where the protocol has none. `frames` is how many frames it
    ends; None where a protocol marks no end, so that a frame is over when a curve comes again.
    With a `time` the datagram is a whole frame. `note` is what a user should know of it.
    """

    protocol: str
    subject: str
    device: str = ""
    curves: dict[str, float] = field(default_factory=dict)
    time: FrameTime | None = None
    frames: int | None = None
    note: str = ""


def readable(text: str) -> str:
    """Return the text in a form that harms no terminal: printable, in one line, not too long."""
    cut = text[:MAX_NAME_CHARACTERS]
    return cut if cut.isprintable() else "".join(c if c.isprintable() else "?" for c in cut)
