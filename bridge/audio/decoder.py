"""Sound files decoded from their beginning to their real end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from bridge.audio.container import CONTAINERS, open_container
from bridge.audio.layout import Layout, patch_flac, read_layout
from bridge.audio.patched_file import PatchedFile
from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

FORMATS: Final = "WAV, FLAC, OGG, Opus, MP3 or AIFF"

MAX_DECODED_S: Final = 4 * 3600.0
"""What is decoded of a recording, at most, before it is used: a small file may hold years."""

COUNTED_FRAMES: Final = 1 << 16
"""Frames which are decoded at once where only their number is wanted."""


class Decoder(Protocol):
    """A sound file as float32 [frames, channels], full scale -1..1.

    `frames` is None where the number is unknown until all are decoded. `can_seek` tells whether
    `seek` costs little; else everything before the place is decoded again.
    """

    rate_hz: int
    channels: int
    frames: int | None
    can_seek: bool
    fault: str
    """Why it ended before its end, in words; empty while nothing is wrong."""

    def read(self, count: int) -> NDArray[np.float32]:
        """Return the next `count` frames; fewer only at the end, or where the file breaks off."""

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
        """Go to a frame, by decoding again where the codec knows no other way."""
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
    """Open a sound file, with what its header says. UserError where it cannot be opened."""
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
    """Return what opens a file of that layout each time it is called. It raises UserError."""
    if layout.container:
        return lambda: open_container(path, CONTAINERS[layout.container])
    return lambda: SndfileDecoder(lambda: _soundfile(path, layout))


def _counted(path: Path, layout: Layout) -> Layout:
    """Count the samples of a FLAC stream of unknown length and let its header tell them."""
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
        raise UserError(Problem(str(path), f"no library to read it: {error}", remedy)) from None
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
    """Whether the codec can seek, as libsndfile says."""
    from soundfile import SoundFile

    return bool(SoundFile.seekable(file))
