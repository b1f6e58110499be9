"""The length in the header of a sound file, and how to read a file whose header is wrong.

Headers of crashed recorders, pipes and incomplete copies promise less or more than a file holds.
Here their headers are read, without decoding: RIFF, RF64, AIFF, AU, Sony Wave64, FLAC, MPEG, Ogg.

MPEG audio frames follow ISO 11172-3 and 13818-3. A decoder knows the length of an MP3 file by a
Xing or Info header in its first frame alone; without one it is estimated from the size of the
first frame, which is wrong for every variable bit rate.
"""

from __future__ import annotations

import io
import mmap
import os
import struct
import weakref
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


_MPEG_RATES_HZ: Final = (44100, 48000, 32000)
_MPEG_KBPS: Final = {
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
class MpegHeader:
    """One frame header: `size` in bytes, `xing` the offset at which a Xing header would stand."""

    size: int
    xing: int
    layer: int


@dataclass(frozen=True, slots=True)
class MpegFrames:
    """The frames of a file: `first` is the offset of the first one.

    `count` leaves a Xing header out, `promised` is its value, None without one; its number
    stands at `promised_at`.
    """

    first: int
    count: int
    promised: int | None
    promised_at: int
    layer: int


@lru_cache(maxsize=4096)
def parse_mpeg_header(four: bytes) -> MpegHeader | None:
    """Return the contents of a frame header of four bytes; None where it is invalid."""
    if len(four) < 4 or four[0] != 0xFF or four[1] & 0xE0 != 0xE0:
        return None
    version_bits, layer = four[1] >> 3 & 3, 4 - (four[1] >> 1 & 3)
    bitrate, rate, padding = four[2] >> 4, four[2] >> 2 & 3, four[2] >> 1 & 1
    if version_bits == 1 or layer == 4 or bitrate in (0, 15) or rate == 3:
        return None
    version = 1 if version_bits == 3 else 2
    rate_hz = _MPEG_RATES_HZ[rate] >> {3: 0, 2: 1, 0: 2}[version_bits]
    bits_s = 1000 * _MPEG_KBPS[version, layer][bitrate - 1]
    if layer == 1:
        size = (12 * bits_s // rate_hz + padding) * 4
    else:
        size = (72 if version == 2 and layer == 3 else 144) * bits_s // rate_hz + padding
    is_mono = four[3] >> 6 == 3
    side = (17 if is_mono else 32) if version == 1 else (9 if is_mono else 17)
    return MpegHeader(size, 4 + side, layer)


def scan_mpeg(data: mmap.mmap, begin: int) -> MpegFrames | None:
    """Count the whole frames from `begin` on; None where there is none."""
    first, header = _next_mpeg_frame(data, begin)
    if header is None:
        return None
    layer = header.layer
    promised, promised_at = _xing_count(data, first, header)
    count, place = 0, first
    while header is not None:
        if place + header.size > len(data):
            break
        count += 1
        place += header.size
        header = parse_mpeg_header(data[place : place + 4])
        if header is None:
            place, header = _next_mpeg_frame(data, place)
    return MpegFrames(first, count - (promised is not None), promised, promised_at, layer)


def xing_frame(data: mmap.mmap, frames: MpegFrames) -> bytes:
    """Return a silent frame of the kind of the first one, with the number of all others."""
    kind = bytearray(data[frames.first : frames.first + 4])
    kind[1] |= 1  # without a checksum
    kind[2] = kind[2] & 0x0C | _PREFIX_BITRATE << 4
    header = parse_mpeg_header(bytes(kind))
    if header is None:
        raise ValueError("not the header of a frame")
    body = b"Xing" + struct.pack(">II", _XING_FLAG_FRAMES, frames.count)
    return (bytes(kind) + bytes(header.xing - 4) + body).ljust(header.size, b"\0")


def _next_mpeg_frame(data: mmap.mmap, place: int) -> tuple[int, MpegHeader | None]:
    """Return where the next frame begins that has another, or the end, behind it."""
    while (place := data.find(b"\xff", place)) >= 0:
        header = parse_mpeg_header(data[place : place + 4])
        if header is not None:
            behind = place + header.size
            if behind == len(data) or parse_mpeg_header(data[behind : behind + 4]):
                return place, header
        place += 1
    return len(data), None


def _xing_count(data: mmap.mmap, first: int, header: MpegHeader) -> tuple[int | None, int]:
    place = first + header.xing
    if data[place : place + 4] not in (b"Xing", b"Info"):
        return None, 0
    flags = int.from_bytes(data[place + 4 : place + 8], "big")
    if not flags & _XING_FLAG_FRAMES:
        return None, 0
    return int.from_bytes(data[place + 8 : place + 12], "big"), place + 8


UNKNOWN_SIZE: Final = 0x7FFF_0000
"""Smallest 32-bit size that means an unknown length, as programs write into a pipe."""

NO_LENGTH: Final = "its header states no length; it is read to its end"
NO_END_MARK: Final = "it has no end marker and may be truncated; it is read to its end"
FRAME_TOLERANCE: Final = 1
"""Encoders differ in whether a Xing header counts itself."""

SLACK_BYTES: Final = 64
"""Excess of the announced size over the real one without truncation: a padding byte."""

PAGE_SEARCH_BYTES: Final = 1 << 17
"""An Ogg page has at most 64 KiB."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read a file.

    `container` is that of `container.CONTAINERS` where libsndfile cannot read it. What stands
    before `begin` is left out, `prefix` put there; `patches` replace bytes. `missing` is the share,
    0 to 1, of what the header promises that the file does not hold. `is_counted` means that the
    number of samples is unknown until all are decoded; it then belongs to `total_at`,
    and `fault` is why the count ended early.
    """

    container: str = ""
    begin: int = 0
    prefix: bytes = b""
    patches: Mapping[int, bytes] = field(default_factory=dict)
    missing: float = 0.0
    notice: str = ""
    is_counted: bool = False
    total_at: int = 0
    fault: str = ""

    @property
    def is_patched(self) -> bool:
        """Whether the file is read differently from how it is stored."""
        return bool(self.begin or self.prefix or self.patches)


def read_layout(path: Path) -> Layout:
    """Return the layout of a file; an empty one where nothing is special. Raises OSError."""
    with path.open("rb") as file:
        try:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # empty
            return Layout()
        with data:
            try:
                return _layout(data)
            except struct.error:  # a truncated header; its decoder reports that
                return Layout()


def _layout(data: mmap.mmap) -> Layout:
    begin = _id3_size(data)
    magic = data[begin : begin + 12]
    if container := _container(magic):
        return Layout(container=container)
    if magic[:4] == b"fLaC":
        return _flac(data, begin)
    if begin or parse_mpeg_header(magic[:4]):
        return _mpeg(data, begin)
    for start, of_kind in _KINDS.items():
        if magic.startswith(start):
            return of_kind(data)
    return Layout()


def _container(magic: bytes) -> str:
    """Return the name of a container by its first bytes, empty where it is none."""
    if magic[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return "mov"
    if magic[:4] == b"\x1aE\xdf\xa3":
        return "matroska"
    is_adts = len(magic) > 1 and magic[0] == 0xFF and magic[1] & 0xF6 == 0xF0
    return "aac" if is_adts else ""


def _id3_size(data: mmap.mmap) -> int:
    """Return the size of an ID3v2 tag at the beginning (ID3v2.4, 3.1), 0 without one."""
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    size = 0
    for byte in data[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size + (10 if data[5] & 0x10 else 0)


def _truncation(promised: int, there: int) -> Layout:
    """Return the layout of a file whose header announces that many bytes of audio; 0 for none."""
    if promised - there <= SLACK_BYTES:
        return Layout()
    return Layout(missing=1.0 - max(0, there) / promised)


class _Chunk(NamedTuple):
    name: bytes
    begin: int
    size: int


def _chunks(data: mmap.mmap, place: int, order: str) -> Iterator[_Chunk]:
    while place + 8 <= len(data):
        name, size = struct.unpack_from(f"{order}4sI", data, place)
        yield _Chunk(name, place + 8, size)
        place += 8 + size + size % 2


def _riff(data: mmap.mmap) -> Layout:
    size64_at = 0
    for chunk in _chunks(data, 12, "<"):
        if chunk.name == b"ds64" and len(data) >= chunk.begin + 16:
            size64_at = chunk.begin + 8
        if chunk.name == b"data":
            there = len(data) - chunk.begin
            if size64_at and chunk.size == 0xFFFF_FFFF:
                (size,) = struct.unpack_from("<Q", data, size64_at)
                if size == 0 and there > 0:
                    return Layout(patches={size64_at: struct.pack("<Q", there)}, notice=NO_LENGTH)
                return _truncation(size, there)
            is_pipe = chunk.size >= UNKNOWN_SIZE and there < chunk.size
            if there > 0 and (
                is_pipe or (not chunk.size and not _has_chunks_behind(data, chunk, "<"))
            ):
                patches = {
                    4: struct.pack("<I", min(len(data) - 8, 0xFFFF_FFFF)),
                    chunk.begin - 4: struct.pack("<I", min(there, 0xFFFF_FFFF)),
                }
                return Layout(patches=patches, notice=NO_LENGTH)
            return _truncation(chunk.size, there)
    return Layout()


def _has_chunks_behind(data: mmap.mmap, chunk: _Chunk, order: str) -> bool:
    """Whether whole chunks stand behind one, up to the end."""
    end = chunk.begin + chunk.size + chunk.size % 2
    for behind in _chunks(data, end, order):
        if not all(0x20 <= byte < 0x7F for byte in behind.name):
            return False
        end = behind.begin + behind.size + behind.size % 2
    return end >= len(data) - 1 and end - len(data) <= 1


def _aiff(data: mmap.mmap) -> Layout:
    frames_at, frame_bytes, frames = 0, 1, 0
    for chunk in _chunks(data, 12, ">"):
        if chunk.name == b"COMM" and len(data) >= chunk.begin + 8:
            channels, frames, bits = struct.unpack_from(">HIH", data, chunk.begin)
            frames_at, frame_bytes = chunk.begin + 2, max(1, channels * -(-bits // 8))
        if chunk.name == b"SSND":
            there = len(data) - chunk.begin
            if frames == 0 and frames_at and chunk.size <= 8 < there:
                if _has_chunks_behind(data, chunk, ">"):
                    return Layout()
                patches = {
                    4: struct.pack(">I", min(len(data) - 8, 0xFFFF_FFFF)),
                    chunk.begin - 4: struct.pack(">I", min(there, 0xFFFF_FFFF)),
                    frames_at: struct.pack(">I", (there - 8) // frame_bytes),
                }
                return Layout(patches=patches, notice=NO_LENGTH)
            return _truncation(chunk.size, there)
    return Layout()


def _au(data: mmap.mmap) -> Layout:
    begin, size = struct.unpack_from(">II", data, 4)
    return _truncation(size if size != 0xFFFF_FFFF else 0, len(data) - begin)


def _wave64(data: mmap.mmap) -> Layout:
    place = 40
    while place + 24 <= len(data):
        (size,) = struct.unpack_from("<Q", data, place + 16)
        if data[place : place + 4] == b"data":
            return _truncation(size - 24 if size > 24 else 0, len(data) - place - 24)
        place += max(24, size + -size % 8)
    return Layout()


def _flac(data: mmap.mmap, begin: int) -> Layout:
    """A FLAC stream has its total of samples, 36 bits, in its first block; 0 is unknown."""
    at = begin + 8 + 13
    if len(data) < at + 5 or int.from_bytes(data[at : at + 5], "big") & 0xF_FFFF_FFFF:
        return Layout()
    return Layout(is_counted=True, total_at=at, notice=NO_LENGTH)


def patch_flac(first_byte: int, total: int) -> bytes:
    """Return the five bytes at `Layout.total_at`, of which the first has four other bits."""
    return (((first_byte & 0xF0) << 32) | min(total, 0xF_FFFF_FFFF)).to_bytes(5, "big")


def _mpeg(data: mmap.mmap, begin: int) -> Layout:
    frames = scan_mpeg(data, begin)
    if frames is None or frames.layer != 3 or data[begin : frames.first].strip(b"\0"):
        # Not ours to count: another layer, or a bit rate that the header does not give.
        return Layout()
    if frames.promised is None:
        prefix = xing_frame(data, frames)
        return Layout(begin=frames.first, prefix=prefix)
    if abs(frames.promised - frames.count) <= FRAME_TOLERANCE:
        return Layout()
    patches = {frames.promised_at: struct.pack(">I", frames.count)}
    missing = max(0.0, 1.0 - frames.count / max(1, frames.promised))
    return Layout(patches=patches, missing=missing)


def _ogg(data: mmap.mmap) -> Layout:
    """The last page of a stream is marked as such (RFC 3533)."""
    page = data.rfind(b"OggS", max(0, len(data) - PAGE_SEARCH_BYTES))
    is_ended = page >= 0 and len(data) > page + 5 and data[page + 5] & 4
    return Layout(notice="" if is_ended else NO_END_MARK)


_KINDS: Final[dict[bytes, Callable[[mmap.mmap], Layout]]] = {
    b"RIFF": _riff,
    b"RF64": _riff,
    b"FORM": _aiff,
    b".snd": _au,
    b"riff\x2e\x91\xcf\x11": _wave64,
    b"OggS": _ogg,
}
"""By how they begin."""


class PatchedFile(io.RawIOBase):
    """The bytes of the file at `path` from `begin` on, behind `prefix`.

    `patches` replace bytes at offsets of the file. Raises OSError where it cannot be opened.
    """

    def __init__(
        self, path: Path, patches: Mapping[int, bytes], *, prefix: bytes = b"", begin: int = 0
    ) -> None:
        self._file = path.open("rb")
        weakref.finalize(self, self._file.close)
        self._prefix, self._begin = len(prefix), begin
        self._shift = len(prefix) - begin
        self._size = self._file.seek(0, os.SEEK_END) + self._shift
        moved = {offset + self._shift: new for offset, new in patches.items()}
        self._patches = {0: prefix, **moved} if prefix else moved
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position, clamped to the size, and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = min(max(base + offset, 0), self._size)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read the next bytes, at most as many as the buffer takes."""
        count = min(len(buffer), self._size - self._position)
        blank = min(count, max(0, self._prefix - self._position))
        self._file.seek(max(self._position - self._shift, self._begin))
        data = bytearray(blank) + self._file.read(count - blank)
        for offset, new in self._patches.items():
            first = max(offset, self._position)
            last = min(offset + len(new), self._position + len(data))
            if first < last:
                data[first - self._position : last - self._position] = new[
                    first - offset : last - offset
                ]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
