"""Broadcast Wave files (EBU Tech 3285) that can be read however they end.

    offset  field
    0       "RIFF", u32 bytes that follow, "WAVE"
    12      "bext", u32 602 + n, the extension below
    622+n   "fmt ", u32 16, format 1 (PCM), 1 channel, rate, bytes a second, 3, 24 bits
    646+n   "data", u32 bytes of samples, the samples

Extension: description 256, originator 32, its reference 32, date 10 and time 8 of the beginning,
u64 samples from midnight to the first one, u16 version 1, UMID 64 and 190 reserved, both zero, then
n bytes of coding history. All numbers are little-endian.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from bridge.errors import Problem, UserError
from bridge.recording.growing import begun, is_at, rescued, write_all

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SAMPLE_BYTES: Final = 3
"""24 bits, as sound recorders on a stage write."""

MAX_BYTES: Final = 2**32 - 1
"""Of a file: its sizes are u32. Mono at 48 kHz takes eight hours to reach it."""

_EXTENSION: Final = struct.Struct("<256s32s32s10s8sQH254x")
_FORMAT: Final = struct.Struct("<4sIHHIIHH")
_CHUNK: Final = struct.Struct("<4sI")
_RIFF_SIZE_AT: Final = 4


@dataclass(frozen=True, slots=True)
class Origin:
    """What a file says of where it comes from.

    `date` is `yyyy-mm-dd` and `time` `hh:mm:ss` at its beginning; `samples` counts from midnight to
    its first sample, at its rate. Text beyond its field's size is cut.
    """

    description: str
    reference: str
    date: str
    time: str
    samples: int
    originator: str = "CSTalk Bridge"


UNKNOWN: Final = Origin("", "", "", "", 0)
"""Of a file whose first sound is still to come."""


class WaveFile:
    """Mono sound of 24 bits that grows; after every `append` the file on disk is whole.

    UserError and OSError where it cannot be made, OSError where it cannot be written. `originate`
    says where it comes from, once that is known.
    """

    def __init__(self, path: Path, rate_hz: int, origin: Origin = UNKNOWN) -> None:
        head = header(rate_hz, origin)
        self.path = path
        self.frames = 0
        self._rate_hz = rate_hz
        self._head_bytes = len(head)
        self._file = begun(path, head)

    def originate(self, origin: Origin) -> None:
        """Write another origin in place of the first, before any sound. Raises OSError."""
        self._file.seek(0)
        write_all(self._file, header(self._rate_hz, origin))

    def append(self, samples: NDArray[np.float32]) -> None:
        """Write samples, [time]; louder than full scale is clipped.

        UserError where no more fit into a file of its kind.
        """
        size = self._head_bytes + SAMPLE_BYTES * (self.frames + len(samples))
        if size >= MAX_BYTES:
            what = f"is full: {MAX_BYTES} bytes are possible"
            raise UserError(Problem(str(self.path), what, "begin another take"))
        write_all(self._file, pcm(samples))
        self.frames += len(samples)
        # First the samples, then the sizes: at no moment do these promise what is not there.
        write_sizes(self._file.fileno(), self._head_bytes, size)
        self._file.seek(0, os.SEEK_END)

    @property
    def is_there(self) -> bool:
        """Whether it still lies where it was made."""
        return self._file.closed or is_at(self._file, self.path)

    def rescue(self, path: Path) -> None:
        """Go on in a copy at `path`. Raises UserError and OSError."""
        copy = rescued(self._file, path)
        self._file.close()
        self._file, self.path = copy, path

    def close(self) -> None:
        """Put the file safely on disk, without half of a sample, and close it in any case.

        Raises OSError.
        """
        if self._file.closed:
            return
        size = self._head_bytes + SAMPLE_BYTES * self.frames
        with self._file:
            self._file.truncate(size)
            pad(self._file.fileno(), size)
            os.fsync(self._file.fileno())


def header(rate_hz: int, origin: Origin) -> bytes:
    """Return everything before the samples, of a file without any."""
    history = f"A=PCM,F={rate_hz},W=24,M=mono,T={origin.originator}\r\n".encode("ascii", "replace")
    history += b"\0" * (len(history) % 2)
    fields = (origin.description, origin.originator, origin.reference, origin.date, origin.time)
    texts = (text.encode("ascii", "replace") for text in fields)
    extension = _EXTENSION.pack(*texts, origin.samples, 1) + history
    pulse = _FORMAT.pack(b"fmt ", 16, 1, 1, rate_hz, SAMPLE_BYTES * rate_hz, SAMPLE_BYTES, 24)
    chunks = _CHUNK.pack(b"bext", len(extension)) + extension + pulse + _CHUNK.pack(b"data", 0)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def pcm(samples: NDArray[np.float32]) -> bytes:
    """Return samples as 24 bits each, little-endian."""
    scaled = np.clip(np.rint(samples.astype(np.float64) * 2**23), -(2**23), 2**23 - 1)
    return scaled.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :SAMPLE_BYTES].tobytes()


def write_sizes(descriptor: int, head_bytes: int, size: int) -> None:
    """Write into the header of an open file that it has `size` bytes."""
    for place, value in ((head_bytes - 4, size - head_bytes), (_RIFF_SIZE_AT, size - 8)):
        os.lseek(descriptor, place, os.SEEK_SET)
        os.write(descriptor, struct.pack("<I", value))


def pad(descriptor: int, size: int) -> None:
    """End an open file of `size` bytes evenly, as RIFF wants its chunks."""
    if size % 2:
        os.lseek(descriptor, 0, os.SEEK_END)
        os.write(descriptor, b"\0")
        os.lseek(descriptor, _RIFF_SIZE_AT, os.SEEK_SET)
        os.write(descriptor, struct.pack("<I", size + 1 - 8))


def mend(path: Path) -> int:
    """Cut a file that a killed program left to whole samples and return how many it has.

    ValueError where it is none of ours, or ends before its samples begin. Raises OSError.
    """
    with path.open("r+b") as file:
        head = file.read(_CHUNK.size + 4 + _CHUNK.size)
        if len(head) < 20 or head[:4] != b"RIFF" or head[8:16] != b"WAVEbext":
            raise ValueError("it does not begin as a recorded sound")
        _, extension_bytes = _CHUNK.unpack(head[12:])
        head_bytes = len(head) + int(extension_bytes) + _FORMAT.size + _CHUNK.size
        frames = (file.seek(0, os.SEEK_END) - head_bytes) // SAMPLE_BYTES
        if frames < 0:
            raise ValueError("it ends before its sound begins")
        size = head_bytes + frames * SAMPLE_BYTES
        file.truncate(size)
        file.flush()
        write_sizes(file.fileno(), head_bytes, size)
        pad(file.fileno(), size)
    return frames
