"""What the header of a sound file says of its length, and what is there.

Files of recorders that crashed, of pipes and of broken copies say less or more than they hold. Here
their headers are read, without decoding: RIFF, RF64, AIFF, AU, Sony Wave64, FLAC, MPEG, Ogg.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.audio import mpeg_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

UNKNOWN: Final = 0x7FFF_0000
"""From here on a size of 32 bits is what programs write into a pipe, where it means unknown."""

UNTOLD: Final = "its header tells no length; it is read to its end"
NO_END_MARK: Final = "it has no end mark and may have been cut off; it is read to its end"
FRAME_TOLERANCE: Final = 1
"""Encoders differ in whether a Xing header counts itself."""

SLACK_BYTES: Final = 64
"""By so much headers promise more than there is, though nothing was cut off: a padding byte."""

PAGE_SEARCH_BYTES: Final = 1 << 17
"""An Ogg page has at most 64 KiB."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read a file.

    `container` is that of `container.CONTAINERS` where libsndfile cannot read it. What stands
    before `begin` is left out, `prefix` put there; `patches` replace bytes. `missing` is the share,
    0 to 1, of what the header promises that the file does not hold. `is_counted` says that the
    number of samples is unknown until all are decoded; it then belongs to `total_at`,
    and `fault` says why the count ended early.
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
        """Whether the file is read otherwise than it lies on disk."""
        return bool(self.begin or self.prefix or self.patches)


def read_layout(path: Path) -> Layout:
    """Return the layout of a file; an empty one where nothing needs care. Raises OSError."""
    with path.open("rb") as file:
        try:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # empty
            return Layout()
        with data:
            try:
                return _layout(data)
            except struct.error:  # a header that is cut off; who decodes it says so
                return Layout()


def _layout(data: mmap.mmap) -> Layout:
    begin = _id3_size(data)
    magic = data[begin : begin + 12]
    if container := _container(magic):
        return Layout(container=container)
    if magic[:4] == b"fLaC":
        return _flac(data, begin)
    if begin or mpeg_frames.parse_header(magic[:4]):
        return _mpeg(data, begin)
    for start, of_kind in _KINDS.items():
        if magic.startswith(start):
            return of_kind(data)
    return Layout()


def _container(magic: bytes) -> str:
    """Return the name of a container that begins so, empty where it is none."""
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


def _held(promised: int, there: int) -> Layout:
    """Return the layout of a file whose header promises so many bytes of sound; 0 for none."""
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
                    return Layout(patches={size64_at: struct.pack("<Q", there)}, notice=UNTOLD)
                return _held(size, there)
            is_pipe = chunk.size >= UNKNOWN and there < chunk.size
            if there > 0 and (is_pipe or (not chunk.size and not _goes_on(data, chunk, "<"))):
                patches = {
                    4: struct.pack("<I", min(len(data) - 8, 0xFFFF_FFFF)),
                    chunk.begin - 4: struct.pack("<I", min(there, 0xFFFF_FFFF)),
                }
                return Layout(patches=patches, notice=UNTOLD)
            return _held(chunk.size, there)
    return Layout()


def _goes_on(data: mmap.mmap, chunk: _Chunk, order: str) -> bool:
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
                if _goes_on(data, chunk, ">"):
                    return Layout()
                patches = {
                    4: struct.pack(">I", min(len(data) - 8, 0xFFFF_FFFF)),
                    chunk.begin - 4: struct.pack(">I", min(there, 0xFFFF_FFFF)),
                    frames_at: struct.pack(">I", (there - 8) // frame_bytes),
                }
                return Layout(patches=patches, notice=UNTOLD)
            return _held(chunk.size, there)
    return Layout()


def _au(data: mmap.mmap) -> Layout:
    begin, size = struct.unpack_from(">II", data, 4)
    return _held(size if size != 0xFFFF_FFFF else 0, len(data) - begin)


def _wave64(data: mmap.mmap) -> Layout:
    place = 40
    while place + 24 <= len(data):
        (size,) = struct.unpack_from("<Q", data, place + 16)
        if data[place : place + 4] == b"data":
            return _held(size - 24 if size > 24 else 0, len(data) - place - 24)
        place += max(24, size + -size % 8)
    return Layout()


def _flac(data: mmap.mmap, begin: int) -> Layout:
    """A FLAC stream has its total of samples, 36 bits, in its first block; 0 is unknown."""
    at = begin + 8 + 13
    if len(data) < at + 5 or int.from_bytes(data[at : at + 5], "big") & 0xF_FFFF_FFFF:
        return Layout()
    return Layout(is_counted=True, total_at=at, notice=UNTOLD)


def patch_flac(first_byte: int, total: int) -> bytes:
    """Return the five bytes at `Layout.total_at`, of which the first has four other bits."""
    return (((first_byte & 0xF0) << 32) | min(total, 0xF_FFFF_FFFF)).to_bytes(5, "big")


def _mpeg(data: mmap.mmap, begin: int) -> Layout:
    frames = mpeg_frames.scan(data, begin)
    if frames is None or frames.layer != 3 or data[begin : frames.first].strip(b"\0"):
        # Not ours to count: another layer, or a bit rate that no header tells.
        return Layout()
    if frames.promised is None:
        prefix = mpeg_frames.xing_frame(data, frames)
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
