"""Decodes sound files from their start to their real end, and reads them at any place.

libsndfile decodes most; containers of cameras, phones and browsers need PyAV. Only the demuxer
that belongs to the content is used, and only the bytes of the file itself can be read: a
container that refers to other files or addresses gets nothing.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from cstalk_bridge.audio.file_header import Layout, PatchedFile, patch_flac, read_layout
from cstalk_bridge.models.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray


CONTAINER_SUFFIXES: Final = (
    *(".m4a", ".m4b", ".mp4", ".m4v", ".mov", ".3gp", ".webm", ".mkv", ".mka", ".aac"),
)

EXTRA: Final = "media"
"""The extra of this package that brings PyAV."""

DURATION_TOLERANCE_S: Final = 0.2
"""Excess of a container's announced length that is ignored: codecs pad, muxers round."""


@dataclass(frozen=True, slots=True)
class Container:
    """One kind of container: FFmpeg's `demuxer` for it, and its common name."""

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
            what = (
                f"cannot be read, {self._kind.name} that is damaged or cut off: {_message(error)}"
            )
            raise UserError(Problem(str(self._path), what, "copy or export it again")) from None
        if not self._container.streams.audio:
            self.close()
            what = f"contains no audio: {self._kind.name} without an audio track"
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
                        self.fault = "its number of channels changes midway"
                        return
                    decoded += len(piece)
                    yield piece
        except (self._av.FFmpegError, OSError, ValueError) as error:
            self.fault = _message(error)
            return
        announced_s = self._announced_s()
        if self.rate_hz and decoded / self.rate_hz < announced_s - DURATION_TOLERANCE_S:
            self.fault = f"its header announces {announced_s:.2f} s"

    def _announced_s(self) -> float:
        """Return the length that the stream announces, 0 where it does not."""
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


def _message(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", "") or error).split())


FORMATS: Final = "WAV, FLAC, OGG, Opus, MP3 or AIFF"

MAX_DECODED_S: Final = 4 * 3600.0
"""Length of a recording that is decoded at most: a small file may contain years."""

COUNTED_FRAMES: Final = 1 << 16
"""Frames that are decoded at once where only their number is needed."""


class Decoder(Protocol):
    """A sound file as float32 [frames, channels], full scale -1..1.

    `frames` is None where the number is unknown until all are decoded. `can_seek` is whether
    `seek` costs little; else everything before the place is decoded again.
    """

    rate_hz: int
    channels: int
    frames: int | None
    can_seek: bool
    fault: str
    """Why it ended early; empty while nothing is wrong."""

    def read(self, count: int) -> NDArray[np.float32]:
        """Return the next `count` frames; fewer only at the end, or where the file is truncated."""

    def seek(self, frame: int) -> None:
        """Go to a frame."""

    def close(self) -> None:
        """Close the file; harmless when done twice."""


class SndfileDecoder:
    """What libsndfile reads. `opened` returns a new `soundfile.SoundFile` each time."""

    def __init__(self, opened: Callable[[], Any]) -> None:
        self._opened = opened
        self._file = opened()
        self.rate_hz = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        frames = int(self._file.frames)
        self.frames = frames if frames < 1 << 62 else None
        self.can_seek = _info_seekable(self._file) and self.frames is not None
        self.fault = ""
        self._position = 0

    def read(self, count: int) -> NDArray[np.float32]:
        """Read on from the position."""
        from soundfile import SoundFileError

        if self.frames is not None:
            count = max(0, min(count, self.frames - self._position))
        # An error hides how much was decoded before it: what is still NaN was not.
        block = np.full((count, self.channels), np.nan, dtype=np.float32)
        try:
            read = len(self._file.read(out=block)) if count else 0
        except SoundFileError as error:
            self.fault = str(error).strip().removeprefix("Error : ").rstrip(".") or "damaged"
            blank = np.flatnonzero(np.isnan(block).all(axis=1))
            read = int(blank[0]) if len(blank) else count
        self._position += read
        return block[:read]

    def seek(self, frame: int) -> None:
        """Go to a frame, by decoding again where the codec cannot seek."""
        from soundfile import SoundFileError

        if frame == self._position:
            return
        if self.can_seek:
            try:
                self._position = int(self._file.seek(frame))
            except SoundFileError:
                self.can_seek = False
            else:
                return
        if frame < self._position:
            self._file.close()
            self._file, self._position = self._opened(), 0
        skip(self, frame - self._position)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def skip(decoder: Decoder, count: int) -> int:
    """Decode up to `count` frames and return how many there were."""
    left = count
    while left > 0:
        read = len(decoder.read(min(left, COUNTED_FRAMES)))
        if not read:
            break
        left -= read
    return count - left


def open_decoder(path: Path) -> tuple[Decoder, Layout]:
    """Open a sound file, with the values of its header. UserError where it cannot be opened."""
    try:
        if path.exists() and not path.is_file():
            raise UserError(Problem(str(path), "not a file", f"name a {FORMATS} file"))
        layout = read_layout(path)
        if layout.is_counted:
            layout = _counted(path, layout)
        return reopener(path, layout)(), layout
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}"
        raise UserError(Problem(str(path), what, f"name a {FORMATS} file")) from None


def reopener(path: Path, layout: Layout) -> Callable[[], Decoder]:
    """Return a function that opens a file of that layout at each call. It raises UserError."""
    if layout.container:
        return lambda: open_container(path, CONTAINERS[layout.container])
    return lambda: SndfileDecoder(lambda: _soundfile(path, layout))


def _counted(path: Path, layout: Layout) -> Layout:
    """Count the samples of a FLAC stream of unknown length and write them into its header."""
    decoder = SndfileDecoder(lambda: _soundfile(path, Layout()))
    total = skip(decoder, int(MAX_DECODED_S * decoder.rate_hz) + 1)
    decoder.close()
    with path.open("rb") as file:
        file.seek(layout.total_at)
        first = file.read(1)[0]
    patches = {layout.total_at: patch_flac(first, total)}
    return replace(layout, patches=patches, fault=decoder.fault)


def _soundfile(path: Path, layout: Layout) -> Any:
    """Return an open SoundFile which does not seek by itself after each read."""
    try:
        from soundfile import SoundFile, SoundFileError
    except OSError as error:
        remedy = "reinstall the Python package soundfile, or install libsndfile1"
        raise UserError(
            Problem(str(path), f"the library that reads audio files is missing: {error}", remedy)
        ) from None
    source: Any = path
    if layout.is_patched:
        source = PatchedFile(path, layout.patches, prefix=layout.prefix, begin=layout.begin)
    try:
        return _sequential(SoundFile)(source)
    except SoundFileError:
        if layout.is_patched:
            source.close()
        what = "cannot be read: it is damaged or no audio file"
        raise UserError(Problem(str(path), what, f"use a {FORMATS} file")) from None


def _sequential(base: Any) -> Any:
    """Return a kind of SoundFile that reads on without seeking, which some codecs cannot."""

    class Sequential(base):  # type: ignore[misc]
        def seekable(self) -> bool:
            return False

    return Sequential


def _info_seekable(file: Any) -> bool:
    """Whether the codec can seek, by libsndfile."""
    from soundfile import SoundFile

    return bool(SoundFile.seekable(file))


MAX_READERS: Final = 3
"""Of one file that cannot seek: network, writer and page read it at places of their own."""


class RandomAccessReader:
    """Reads any part of a file; not from two threads at once.

    A file that cannot seek is opened up to `MAX_READERS` times, so that each of those who read on
    finds a decoder where it left one. The last `kept` frames can be read again at no cost.
    """

    def __init__(self, opened: Callable[[], Decoder], kept: int) -> None:
        self._opened = opened
        self._kept = kept
        self.first = opened()
        self._readers = [_SequentialReader(self.first, kept)]

    def read(self, start: int, count: int) -> tuple[NDArray[np.float32], str]:
        """Return frames `start` to `start + count`, [frames, channels], and why there are fewer."""
        reader = self._at(start)
        self._readers.remove(reader)
        self._readers.append(reader)
        return reader.read(start, count), reader.decoder.fault

    def _at(self, start: int) -> _SequentialReader:
        for reader in reversed(self._readers):
            if reader.holds(start):
                return reader
        if self.first.can_seek:
            return self._readers[0]
        if len(self._readers) < MAX_READERS:
            self._readers.append(_SequentialReader(self._opened(), self._kept))
            return self._readers[-1]
        before = [reader for reader in self._readers if reader.position <= start]
        return max(before, key=lambda reader: reader.position, default=self._readers[0])


class _SequentialReader:
    """A decoder, its position, and the frames before that."""

    def __init__(self, decoder: Decoder, kept: int) -> None:
        self.decoder = decoder
        self.position = 0
        self._kept = 0 if decoder.can_seek else kept
        self._last = np.zeros((0, decoder.channels), dtype=np.float32)

    def holds(self, start: int) -> bool:
        return self.position - len(self._last) <= start <= self.position

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        if not self.holds(start):
            self.decoder.seek(start)
            self.position, self._last = start, self._last[:0]
        again = self._last[len(self._last) - (self.position - start) :][:count]
        new = self.decoder.read(count - len(again))
        self.position += len(new)
        samples = np.concatenate((again, new))
        if self._kept:
            self._last = np.concatenate((self._last, new))[-self._kept :]
        return samples
