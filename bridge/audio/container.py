"""Sound in the containers of cameras, phones and browsers, decoded by PyAV where it is installed.

Only the demuxer that belongs to the content is used, and only the bytes of the file itself can be
read: a container that refers to other files or addresses gets nothing.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

CONTAINER_SUFFIXES: Final = (
    *(".m4a", ".m4b", ".mp4", ".m4v", ".mov", ".3gp", ".webm", ".mkv", ".mka", ".aac"),
)

EXTRA: Final = "media"
"""The extra of this package that brings PyAV."""

DURATION_TOLERANCE_S: Final = 0.2
"""By how much a container may promise more than it holds: codecs pad their ends, muxers round."""


@dataclass(frozen=True, slots=True)
class Container:
    """One kind: the `demuxer` of FFmpeg for it and what people call it."""

    demuxer: str
    name: str


CONTAINERS: Final = {
    "mov": Container("mov", "an MP4, M4A or MOV file"),
    "matroska": Container("matroska", "a WebM or MKV file"),
    "aac": Container("aac", "an AAC file"),
}


class ContainerDecoder:
    """The first sound stream of a container. Raises UserError where there is none."""

    can_seek = False
    frames: int | None = None

    def __init__(self, path: Path, kind: Container, av: Any) -> None:
        self._path = path
        self._kind = kind
        self._av = av
        self.fault = ""
        self._held: list[NDArray[np.float32]] = []
        self._waiting = self._position = 0
        self._open()

    def read(self, count: int) -> NDArray[np.float32]:
        """Decode on from the position."""
        while self._waiting < count:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._held.append(piece)
            self._waiting += len(piece)
        whole = np.concatenate([np.zeros((0, self.channels), np.float32), *self._held])
        self._held, self._waiting = [whole[count:]], max(0, len(whole) - count)
        taken = whole[:count]
        self._position += len(taken)
        return taken

    def seek(self, frame: int) -> None:
        """Go to a frame by decoding all before it."""
        from bridge.audio.decoder import skip

        if frame < self._position:
            self.close()
            self._held, self._waiting, self._position = [], 0, 0
            self._open()
        skip(self, frame - self._position)

    def close(self) -> None:
        """Close the file."""
        self._container.close()
        self._file.close()

    def _open(self) -> None:
        self._file = self._path.open("rb")
        weakref.finalize(self, self._file.close)
        try:
            self._container = self._av.open(self._file, format=self._kind.demuxer, mode="r")
        except (self._av.FFmpegError, OSError, ValueError) as error:
            self._file.close()
            what = f"cannot be read, {self._kind.name} that is damaged or cut off: {_words(error)}"
            raise UserError(Problem(str(self._path), what, "copy or export it again")) from None
        if not self._container.streams.audio:
            self.close()
            what = f"holds no sound, {self._kind.name} without a sound track"
            raise UserError(Problem(str(self._path), what, "use one with sound"))
        self._stream = self._container.streams.audio[0]
        codec = self._stream.codec_context
        self.rate_hz = int(codec.sample_rate or 0) if codec else 0
        self.channels = int(codec.layout.nb_channels) if codec else 0
        if not self.rate_hz or not self.channels:
            self.close()
            what = f"cannot be read, {self._kind.name} whose sound is damaged or of no known codec"
            raise UserError(Problem(str(self._path), what, "convert it to WAV or FLAC"))
        self._pieces = self._decoded()

    def _decoded(self) -> Iterator[NDArray[np.float32]]:
        """Yield [frames, channels] until the end or the first fault."""
        resampler = self._av.AudioResampler(format="fltp")
        decoded = 0
        try:
            for frame in chain(self._container.decode(self._stream), (None,)):
                for planar in resampler.resample(frame):
                    piece = np.ascontiguousarray(planar.to_ndarray().T, dtype=np.float32)
                    if piece.shape[1] != self.channels:
                        self.fault = "its channels change on the way"
                        return
                    decoded += len(piece)
                    yield piece
        except (self._av.FFmpegError, OSError, ValueError) as error:
            self.fault = _words(error)
            return
        promised_s = self._promised_s()
        if self.rate_hz and decoded / self.rate_hz < promised_s - DURATION_TOLERANCE_S:
            self.fault = f"it promises {promised_s:.2f} s"

    def _promised_s(self) -> float:
        """Return how long the stream says it is, 0 where it does not."""
        stream = self._stream
        if stream.duration is not None and stream.time_base:
            return float(stream.duration * stream.time_base)
        if self._kind.demuxer != "aac" and len(self._container.streams) == 1:
            return (self._container.duration or 0) / float(self._av.time_base)
        return 0.0


def open_container(path: Path, kind: Container) -> ContainerDecoder:
    """Open a container. UserError where that cannot be done, or PyAV is missing."""
    try:
        import av
    except ImportError:
        what = f"is {kind.name}, for which PyAV is not installed"
        remedy = f"pip install 'cstalk-bridge[{EXTRA}]', or convert it to WAV or FLAC"
        raise UserError(Problem(str(path), what, remedy)) from None
    return ContainerDecoder(path, kind, av)


def _words(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", "") or error).split())
