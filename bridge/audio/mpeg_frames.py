"""MPEG audio frames (ISO 11172-3, 13818-3): how many a file holds, and what its Xing header says.

A decoder knows the length of an MP3 file by a Xing or Info header in its first frame alone; without
one it is estimated from the size of the first frame, which is wrong for every variable bit rate.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import mmap

_RATES_HZ: Final = (44100, 48000, 32000)
_KBPS: Final = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""By version (2 is also 2.5) and layer."""
_XING_FLAG_FRAMES: Final = 1
_PREFIX_BITRATE: Final = 8
"""Index of a bit rate of which every frame has room for a Xing header."""


@dataclass(frozen=True, slots=True)
class Header:
    """One frame header: `size` in bytes, `xing` the offset at which a Xing header would stand."""

    size: int
    xing: int
    layer: int


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of a file: `first` is the offset of the first one.

    `count` leaves a Xing header out, `promised` is what that says, None without one; its number
    stands at `promised_at`.
    """

    first: int
    count: int
    promised: int | None
    promised_at: int
    layer: int


@lru_cache(maxsize=4096)
def parse_header(four: bytes) -> Header | None:
    """Return what the four bytes of a frame header say; None where they are none."""
    if len(four) < 4 or four[0] != 0xFF or four[1] & 0xE0 != 0xE0:
        return None
    version_bits, layer = four[1] >> 3 & 3, 4 - (four[1] >> 1 & 3)
    bitrate, rate, padding = four[2] >> 4, four[2] >> 2 & 3, four[2] >> 1 & 1
    if version_bits == 1 or layer == 4 or bitrate in (0, 15) or rate == 3:
        return None
    version = 1 if version_bits == 3 else 2
    rate_hz = _RATES_HZ[rate] >> {3: 0, 2: 1, 0: 2}[version_bits]
    bits_s = 1000 * _KBPS[version, layer][bitrate - 1]
    if layer == 1:
        size = (12 * bits_s // rate_hz + padding) * 4
    else:
        size = (72 if version == 2 and layer == 3 else 144) * bits_s // rate_hz + padding
    is_mono = four[3] >> 6 == 3
    side = (17 if is_mono else 32) if version == 1 else (9 if is_mono else 17)
    return Header(size, 4 + side, layer)


def scan(data: mmap.mmap, begin: int) -> Frames | None:
    """Count the whole frames from `begin` on; None where there is none."""
    first, header = _next(data, begin)
    if header is None:
        return None
    layer = header.layer
    promised, promised_at = _promise(data, first, header)
    count, place = 0, first
    while header is not None:
        if place + header.size > len(data):
            break
        count += 1
        place += header.size
        header = parse_header(data[place : place + 4])
        if header is None:
            place, header = _next(data, place)
    return Frames(first, count - (promised is not None), promised, promised_at, layer)


def xing_frame(data: mmap.mmap, frames: Frames) -> bytes:
    """Return a silent frame of the kind of the first one that tells the number of all others."""
    kind = bytearray(data[frames.first : frames.first + 4])
    kind[1] |= 1  # without a checksum
    kind[2] = kind[2] & 0x0C | _PREFIX_BITRATE << 4
    header = parse_header(bytes(kind))
    if header is None:
        raise ValueError("not the header of a frame")
    body = b"Xing" + struct.pack(">II", _XING_FLAG_FRAMES, frames.count)
    return (bytes(kind) + bytes(header.xing - 4) + body).ljust(header.size, b"\0")


def _next(data: mmap.mmap, place: int) -> tuple[int, Header | None]:
    """Return where the next frame begins that has another, or the end, behind it."""
    while (place := data.find(b"\xff", place)) >= 0:
        header = parse_header(data[place : place + 4])
        if header is not None:
            behind = place + header.size
            if behind == len(data) or parse_header(data[behind : behind + 4]):
                return place, header
        place += 1
    return len(data), None


def _promise(data: mmap.mmap, first: int, header: Header) -> tuple[int | None, int]:
    place = first + header.xing
    if data[place : place + 4] not in (b"Xing", b"Info"):
        return None, 0
    flags = int.from_bytes(data[place + 4 : place + 8], "big")
    if not flags & _XING_FLAG_FRAMES:
        return None, 0
    return int.from_bytes(data[place + 8 : place + 12], "big"), place + 8
