"""An audio file, played in real time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from bridge.audio.block import BLOCK_S, BLOCKS_PER_S, Block
from bridge.audio.channel import picked
from bridge.audio.pace import Pace
from bridge.audio.resample import MAX_RATE_HZ, MIN_RATE_HZ
from bridge.audio.source import SourceState
from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

AUDIO_SUFFIXES = (
    *(".wav", ".wave", ".w64", ".rf64", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
    *(".aif", ".aiff", ".aifc", ".au", ".caf"),
)
"""Endings by which an input is meant to be a file even if there is none."""

FORMATS = "WAV, FLAC, OGG, Opus, MP3 or AIFF"

logger = logging.getLogger(__name__)


class FileSource:
    """A recording in blocks of 10 ms, due as if it were spoken from `start` on.

    `channel` counts from 1; None mixes all. With `is_loop` the file begins again at its end, else
    the last block is filled up with silence and the state becomes ENDED. UserError when it cannot
    be opened, is empty, or lacks the channel. A file that breaks off while it is played ends there,
    with a warning in the log.
    """

    is_device = False

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], float],
        channel: int | None = None,
        is_loop: bool = False,
    ) -> None:
        self.name = path.name
        self.state = SourceState.RUNNING
        self.dropped_blocks = 0
        self._path = path
        self._now = now
        self._channel = channel
        self._is_loop = is_loop
        self._pace: Pace | None = None
        self._file = open_file(path)
        self.rate_hz = int(self._file.samplerate)
        self._ahead = self._read(1)
        if problems := _problems(path, self._file, channel, is_empty=not len(self._ahead)):
            self._file.close()
            raise UserError.of(problems)

    @property
    def next_due_s(self) -> float | None:
        """Host time of the next block; None before the start and after the end."""
        if self._pace is None or self.state is SourceState.ENDED:
            return None
        return self._pace.next_due_s

    def start(self) -> None:
        """Begin to play."""
        self._pace = Pace(self._now())

    def poll(self, now_s: float) -> list[Block]:
        """Return the blocks that became due."""
        if self._pace is None or self.state is SourceState.ENDED:
            return []
        blocks: list[Block] = []
        for number in self._pace.take(now_s):
            samples = self._next_samples(number)
            if samples is None:
                self.state = SourceState.ENDED
                break
            captured_s = self._pace.captured_s(number)
            blocks.append(Block(samples, captured_s, captured_s + BLOCK_S))
        return blocks

    def reopen(self) -> None:
        """Do nothing: a file is never lost."""

    def close(self) -> None:
        """Close the file."""
        self.state = SourceState.ENDED
        self._file.close()

    def _next_samples(self, number: int) -> NDArray[np.float32] | None:
        """Return block `number`, or None when the file was over before it."""
        begin = number * self.rate_hz // BLOCKS_PER_S
        frames = (number + 1) * self.rate_hz // BLOCKS_PER_S - begin
        pieces, missing = [], frames
        while missing:
            piece = self._take(missing)
            if not len(piece):
                break
            pieces.append(piece)
            missing -= len(piece)
        if not pieces:
            return None
        samples = picked(np.concatenate(pieces), self._channel)
        return np.concatenate([samples, np.zeros(missing, dtype=np.float32)])

    def _take(self, frames: int) -> NDArray[np.float32]:
        """Return up to `frames` of the file, [frames, channels]; none at the end."""
        if len(self._ahead):
            taken, self._ahead = self._ahead[:frames], self._ahead[frames:]
            return taken
        taken = self._read(frames)
        if not len(taken) and self._is_loop:
            self._file.seek(0)
            taken = self._read(frames)
        return taken

    def _read(self, frames: int) -> NDArray[np.float32]:
        from soundfile import SoundFileError

        try:
            read = self._file.read(frames, dtype="float32", always_2d=True)
        except SoundFileError as error:
            logger.warning("%s breaks off: %s", self._path, error)
            read = np.zeros((0, self._file.channels), dtype=np.float32)
        return np.asarray(read)


def open_file(path: Path) -> Any:
    """Return the soundfile.SoundFile of a recording; UserError when it cannot be opened."""
    try:
        from soundfile import SoundFile, SoundFileError
    except OSError as error:
        remedy = "reinstall the Python package soundfile, or install libsndfile1"
        raise UserError(Problem(str(path), f"no library to read it: {error}", remedy)) from None
    try:
        if path.exists() and not path.is_file():
            raise UserError(Problem(str(path), "not a file", f"name a {FORMATS} file"))
        with path.open("rb"):
            return SoundFile(path)
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise UserError(Problem(str(path), what, f"name a {FORMATS} file")) from None
    except SoundFileError:
        what = "cannot be read: it is damaged or no audio file"
        raise UserError(Problem(str(path), what, f"use a {FORMATS} file")) from None


def _problems(path: Path, file: Any, channel: int | None, *, is_empty: bool) -> list[Problem]:
    problems = []
    if not MIN_RATE_HZ <= file.samplerate <= MAX_RATE_HZ:
        what = f"its rate {file.samplerate} Hz is not within {MIN_RATE_HZ}..{MAX_RATE_HZ} Hz"
        problems.append(Problem(str(path), what, "convert it, for instance to 48000 Hz"))
    if channel is not None and channel > file.channels:
        what = f"channel {channel} is asked for, the file has {file.channels}"
        remedy = f"choose a channel from 1 to {file.channels}, or none to mix them"
        problems.append(Problem(str(path), what, remedy))
    if is_empty:
        problems.append(Problem(str(path), "it holds no sound that can be read", "use another"))
    return problems
