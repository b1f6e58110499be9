"""The 80 bits of one frame of linear timecode (SMPTE ST 12-1), and what they say.

Bit 0 is sent first, the least significant of a digit before the others:

    0-3    frames, units     8-9    frames, tens      10     drop-frame
    16-19  seconds, units    24-26  seconds, tens
    32-35  minutes, units    40-42  minutes, tens
    48-51  hours, units      56-57  hours, tens
    64-79  sync word 0011 1111 1111 1101

All others are user bits and flags, which say nothing about the time.
"""

from __future__ import annotations

from typing import Final

WORD_BITS: Final = 80
ADDRESS_BITS: Final = 64
"""Bits before the sync word."""

SYNC: Final = 0xBFFC
"""The sync word, its first bit the least significant. No address holds twelve ones in a row."""

SYNC_BACKWARDS: Final = 0x3FFD
"""The same of a tape that runs backwards, which gives bit 79 first."""

DROP_FRAME: Final = 10
"""Which bit says that labels are left out."""

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
        raise ValueError(f"{parts} is no time of day")
    separator = ";" if address >> DROP_FRAME & 1 else ":"
    hours, minutes, seconds, frames = parts
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{separator}{frames:02d}"


def mirrored(bits: int, count: int) -> int:
    """Return `count` bits in reverse order."""
    return int(f"{bits:0{count}b}"[::-1], 2)
