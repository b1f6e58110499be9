"""Frames as `listen` sees them: the content of a datagram, whichever program sent it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cstalk_bridge.timecode.smpte import FrameRate, Timecode

if TYPE_CHECKING:
    from numpy.typing import NDArray


MAX_NAME_CHARACTERS = 64
"""Longer names of subjects and curves are cut: they are there to be read in a line."""

MIN_RATE_HZ, MAX_RATE_HZ = 1.0, 1000.0
"""Frame rates of cameras and phones, and then some; beyond them a frame number gives no time."""


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
        """`hh:mm:ss:ff` without drop-frame, which packets do not carry."""
        return Timecode(FrameRate("", self.numerator, self.denominator), self.frame).label


@dataclass(frozen=True, slots=True, eq=False)
class StreamFrame:
    """The part of a datagram that belongs to one stream.

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


def timed_frame(
    protocol: str,
    subject: str,
    time: FrameTime,
    curves: dict[str, float],
    *,
    device: str = "",
    note: str = "",
) -> StreamFrame:
    """Return the frame of a datagram that is a whole frame; an unusable rate becomes a note."""
    if not time.is_usable:
        note = f"frame rate {time.numerator}/{time.denominator}"
    known = time if time.is_usable else None
    return StreamFrame(protocol, readable(subject), readable(device), curves, known, 1, note)


def by_name(names: tuple[str, ...], values: NDArray[Any]) -> dict[str, float]:
    """Return the values by their names; ValueError for another count."""
    return dict(zip(names, values.tolist(), strict=True))


def readable(text: str) -> str:
    """Return the text in a form that harms no terminal: printable, in one line, not too long."""
    cut = text[:MAX_NAME_CHARACTERS]
    return cut if cut.isprintable() else "".join(c if c.isprintable() else "?" for c in cut)
