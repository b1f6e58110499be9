"""Linear timecode (LTC, SMPTE ST 12-1): the time of day sent as sound, decoded from its stream.

The wave turns at the beginning of every bit, and once more in the middle of a one (biphase mark).
So a decoder needs neither level nor polarity nor speed: an interval is a whole bit or half of
one, which it recognises by the intervals before.

A frame has 80 bits. Bit 0 is sent first, the least significant of a digit before the others:

    0-3    frames, units     8-9    frames, tens      10     drop-frame
    16-19  seconds, units    24-26  seconds, tens
    32-35  minutes, units    40-42  minutes, tens
    48-51  hours, units      56-57  hours, tens
    64-79  sync word 0011 1111 1111 1101

All others are user bits and flags, which are unrelated to the time.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from cstalk_bridge.timecode.smpte import FRAME_RATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.timecode.smpte import FrameRate


WORD_BITS: Final = 80
ADDRESS_BITS: Final = 64
"""Bits before the sync word."""

SYNC_WORD: Final = 0xBFFC
"""The sync word, its first bit the least significant. No address holds twelve ones in a row."""

SYNC_WORD_BACKWARDS: Final = 0x3FFD
"""The same of a tape that runs backwards, which gives bit 79 first."""

DROP_FRAME: Final = 10
"""The bit that marks drop-frame labels."""

_DIGITS: Final = ((56, 2), (48, 4), (40, 3), (32, 4), (24, 3), (16, 4), (8, 2), (0, 4))
"""First bit and number of bits of each digit, from the tens of hours to the units of frames."""

_LIMITS: Final = (24, 60, 60, 30)
"""Hours, minutes, seconds and frames stay below these."""


def label_of(address: int) -> str:
    """Return the label `hh:mm:ss:ff`, with `;` before the frames for drop-frame, of 64 bits.

    ValueError for digits that are none and for a time of day there is none of.
    """
    tens = [address >> first & (1 << count) - 1 for first, count in _DIGITS]
    if max(tens) > 9:
        raise ValueError(f"digits {tens} are not decimal")
    parts = [10 * ten + unit for ten, unit in zip(tens[::2], tens[1::2], strict=True)]
    if any(part >= limit for part, limit in zip(parts, _LIMITS, strict=True)):
        raise ValueError(f"{parts} is not a time of day")
    separator = ";" if address >> DROP_FRAME & 1 else ":"
    hours, minutes, seconds, frames = parts
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{separator}{frames:02d}"


def mirrored(bits: int, count: int) -> int:
    """Return `count` bits in reverse order."""
    return int(f"{bits:0{count}b}"[::-1], 2)


CHUNKS_PER_S: Final = 200
"""How often the level is measured anew. The chunks are the same however the sound is cut."""

RELEASE_S: Final = 0.1
"""Time constant with which a level that is no longer reached is forgotten: faster than a fader,
slower than the longest bit, 5 ms at a tenth of the speed."""

HYSTERESIS: Final = 0.3
"""Share of the amplitude by which the wave must pass its middle: noise there turns nothing."""

AMPLITUDE_FLOOR: Final = 0.001
"""Amplitude, -60 dBFS, below which there is only noise."""


class EdgeFinder:
    """A stream of sound in, the places of its edges out.

    A place is in samples since the first, between samples where the wave crosses between them.
    """

    def __init__(self, rate_hz: int) -> None:
        self._size = max(1, rate_hz // CHUNKS_PER_S)
        self._keep = math.exp(-self._size / rate_hz / RELEASE_S)
        self._waiting = np.zeros(0, dtype=np.float32)
        self._place = 0
        self._last = 0.0
        self._side = 0
        self._high = self._low = 0.0

    @property
    def amplitude(self) -> float:
        """Half of the distance between the wave's two levels, full scale 1."""
        return (self._high - self._low) / 2

    def push(self, samples: NDArray[np.float32]) -> list[float]:
        """Take the next samples [time] and return the edges of the chunks that are complete."""
        sound = np.concatenate((self._waiting, np.nan_to_num(samples)))
        whole = len(sound) - len(sound) % self._size
        self._waiting = sound[whole:]
        edges: list[float] = []
        for first in range(0, whole, self._size):
            edges += self._edges(sound[first : first + self._size].astype(np.float64))
            self._place += self._size
        return edges

    def _edges(self, chunk: NDArray[np.float64]) -> list[float]:
        middle = self._follow(chunk)
        margin = HYSTERESIS * self.amplitude
        before, self._last = self._last, float(chunk[-1])
        if self.amplitude < AMPLITUDE_FLOOR:
            self._side = 0
            return []
        sides = (chunk > middle + margin).astype(np.int8) - (chunk < middle - margin)
        beyond = np.flatnonzero(sides)
        sides = sides[beyond]
        earlier = np.concatenate(([self._side], sides[:-1]))
        self._side = int(sides[-1]) if len(sides) else self._side
        turned = (sides != earlier) & (earlier != 0)
        at = beyond[turned]
        after, ahead = chunk[at], np.concatenate(([before], chunk[:-1]))[at]
        # Crossed at the margin: the same delay for rising and falling edges.
        level = middle + margin * sides[turned]
        step = np.where(after == ahead, 1.0, after - ahead)
        places: list[float] = (self._place + at - np.clip((after - level) / step, 0, 1)).tolist()
        return places

    def _follow(self, chunk: NDArray[np.float64]) -> float:
        """Measure the wave's two levels and return their middle."""
        middle = (self._high + self._low) / 2
        self._high = max(float(chunk.max()), middle + self._keep * (self._high - middle))
        self._low = min(float(chunk.min()), middle + self._keep * (self._low - middle))
        return (self._high + self._low) / 2


LTC_RATES: Final = ("23.976", "24", "25", "29.97", "30")
"""The rates there are; at 29.97 the drop-frame bit selects one of the two."""

RATE_TOLERANCE: Final = 0.005
"""How far from a rate the measured one may be: beyond it the sound is played at another speed."""

RATE_FRAMES: Final = 25
"""Frames that are measured: a second distinguishes 29.97 from 30, and 23.976 from 24, ten times
over."""

HALF_BIT: Final = (0.3, 0.75)
WHOLE_BIT: Final = (0.75, 1.7)
"""Lengths of an interval, in bits. Outside of them the speed has changed at once."""

HALVING: Final = (1.5, 2.8)
"""Ratio of two neighbouring intervals of which the one is a whole bit, the other half of one."""

FOLLOWING: Final = 0.25
"""Share of each new bit in the length of a bit: a tape may double its speed within five."""


@dataclass(frozen=True, slots=True)
class LtcFrame:
    """One decoded frame.

    At sample `place` since the first it was exactly `label`, as `hh:mm:ss:ff` (`;` before the
    frames for drop-frame); the frame lasted `length` samples. With `is_reverse` the sound runs
    backwards: then `place` is where the frame was left.
    """

    label: str
    place: float
    length: float
    is_reverse: bool = False


class LtcDecoder:
    """Decodes frames from a stream of audio, each as soon as its last bit has arrived.

    Every rate, forwards and backwards. At 48 kHz speeds from a tenth to four times are read, from
    audio of a level above -60 dBFS. `rejected` counts words between sync words that are not a time.
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
        """Process the next samples, [time], and return the frames that are complete."""
        edges = self._finder.push(samples)
        frames = (self._turn(edge) for edge in edges)
        return [frame for frame in frames if frame is not None]

    def _turn(self, edge: float) -> LtcFrame | None:
        """Process the next edge of the wave."""
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
        if self._bits >> ADDRESS_BITS == SYNC_WORD:
            return self._frame(self._bits & (1 << ADDRESS_BITS) - 1, self._borders[0], edge)
        if self._bits & 0xFFFF == SYNC_WORD_BACKWARDS:
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
