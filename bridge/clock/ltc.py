"""Linear timecode (LTC): the time of day that stages send as sound, decoded from its stream.

The wave turns at the beginning of every bit, and once more in the middle of a one (biphase mark).
So a decoder needs neither level nor polarity nor speed: an interval is a whole bit or half of one,
which it tells by the intervals before.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.clock.ltc_edges import EdgeFinder
from bridge.clock.ltc_word import (
    ADDRESS_BITS,
    SYNC,
    SYNC_BACKWARDS,
    WORD_BITS,
    label_of,
    mirrored,
)
from bridge.clock.rate import FRAME_RATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from bridge.clock.rate import FrameRate

LTC_RATES: Final = ("23.976", "24", "25", "29.97", "30")
"""The rates there are; at 29.97 the drop-frame bit says which of the two it is."""

RATE_TOLERANCE: Final = 0.005
"""How far from a rate the measured one may be: beyond it the sound is played at another speed."""

RATE_FRAMES: Final = 25
"""Frames that are measured: a second tells 29.97 from 30, and 23.976 from 24, ten times over."""

HALF_BIT: Final = (0.3, 0.75)
WHOLE_BIT: Final = (0.75, 1.7)
"""Lengths of an interval, in bits. Outside of them the speed has changed at once."""

HALVING: Final = (1.5, 2.8)
"""Ratio of two neighbouring intervals of which the one is a whole bit, the other half of one."""

FOLLOWING: Final = 0.25
"""Share of each new bit in the length of a bit: a tape may double its speed within five."""


@dataclass(frozen=True, slots=True)
class LtcFrame:
    """One frame that was heard.

    At sample `place` since the first it was exactly `label`, as `hh:mm:ss:ff` (`;` before the
    frames for drop-frame); the frame lasted `length` samples. `is_reverse` says that the sound
    runs backwards: then `place` is where the frame was left.
    """

    label: str
    place: float
    length: float
    is_reverse: bool = False


class LtcDecoder:
    """A stream of sound in, frames out, each as soon as its last bit is heard.

    Every rate, forwards and backwards. At 48 kHz speeds from a tenth to four times are read, from
    sound of a level above -60 dBFS. `rejected` counts words between sync words that were no time.
    """

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.rejected = 0
        self._finder = EdgeFinder(rate_hz)
        self._edge: float | None = None
        self._interval = 0.0
        self._bit_length = 0.0
        """0 while the speed is not known."""
        self._half: float | None = None
        self._bits = 0
        self._borders: deque[float] = deque(maxlen=WORD_BITS + 1)

    def push(self, samples: NDArray[np.float32]) -> list[LtcFrame]:
        """Take the next samples, [time], and return the frames that are complete."""
        edges = self._finder.push(samples)
        frames = (self._turn(edge) for edge in edges)
        return [frame for frame in frames if frame is not None]

    def _turn(self, edge: float) -> LtcFrame | None:
        """Take the next edge of the wave."""
        before, self._edge = self._edge, edge
        if before is None:
            return None
        last, self._interval = self._interval, edge - before
        if not self._bit_length:
            self._begin(last, self._interval, edge)
            return None
        share = self._interval / self._bit_length
        if HALF_BIT[0] < share < HALF_BIT[1]:
            if self._half is None:
                self._half = self._interval
                return None
            return self._bit(1, self._half + self._interval, edge)
        if self._half is None and WHOLE_BIT[0] <= share < WHOLE_BIT[1]:
            return self._bit(0, self._interval, edge)
        self._bit_length = 0.0
        self._begin(last, self._interval, edge)
        return None

    def _begin(self, last: float, interval: float, edge: float) -> None:
        """Learn the length of a bit from two intervals of which one is half of the other."""
        self._borders.clear()
        if HALVING[0] * last < interval < HALVING[1] * last:
            self._bit_length, self._half = interval, None
            self._borders.append(edge)
        elif HALVING[0] * interval < last < HALVING[1] * interval:
            self._bit_length, self._half = last, interval
            self._borders.append(edge - interval)

    def _bit(self, bit: int, length: float, edge: float) -> LtcFrame | None:
        self._half = None
        self._bit_length += FOLLOWING * (length - self._bit_length)
        self._bits = self._bits >> 1 | bit << WORD_BITS - 1
        self._borders.append(edge)
        if len(self._borders) <= WORD_BITS:
            return None
        if self._bits >> ADDRESS_BITS == SYNC:
            return self._frame(self._bits & (1 << ADDRESS_BITS) - 1, self._borders[0], edge)
        if self._bits & 0xFFFF == SYNC_BACKWARDS:
            address = mirrored(self._bits >> WORD_BITS - ADDRESS_BITS, ADDRESS_BITS)
            return self._frame(address, edge, self._borders[0])
        return None

    def _frame(self, address: int, begin: float, end: float) -> LtcFrame | None:
        try:
            label = label_of(address)
        except ValueError:
            self.rejected += 1
            return None
        return LtcFrame(label, begin, abs(end - begin), is_reverse=end < begin)


def rate_of(frames: Sequence[LtcFrame], rate_hz: int) -> FrameRate | None:
    """Return the frame rate of frames that came one after another at a sample rate.

    None for fewer than `RATE_FRAMES`, and where they are played at another speed or backwards.
    """
    if len(frames) < RATE_FRAMES or any(frame.is_reverse for frame in frames):
        return None
    hz = rate_hz * len(frames) / sum(frame.length for frame in frames)
    nearest = min((FRAME_RATES[name] for name in LTC_RATES), key=lambda rate: abs(rate.hz - hz))
    if abs(nearest.hz / hz - 1) > RATE_TOLERANCE:
        return None
    if ";" in frames[-1].label:
        return FRAME_RATES["29.97df"] if nearest.nominal == 30 else None
    return nearest
