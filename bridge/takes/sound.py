"""The sound of a take: mono, at most 48 kHz, read in pieces, so that hours need no memory."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bridge.audio.channel import picked
from bridge.audio.file import FORMATS, open_file
from bridge.audio.resample import MAX_RATE_HZ, MIN_RATE_HZ
from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

MAX_SOUND_RATE_HZ = 48_000
"""Rate of the sound of a take at most; more is not heard, neither by people nor by the network."""

MAX_SOUND_S = 4 * 3600.0
"""Length of one recording at most."""

MARGIN = 512
"""Samples, before and after what is read, which the filter of a lower rate needs."""

PIECE_S = 10
"""Seconds which `pieces` reads at once."""


class Sound(Protocol):
    """Mono sound of `frames` samples at `rate_hz`, 8000 to 48000."""

    rate_hz: int
    frames: int

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        """Return up to `count` samples from `start` on, [time], finite, -1..1 nominally.

        Fewer at the end. Threads may read at once. UserError where the file is damaged.
        """


def pieces(sound: Sound) -> Iterator[NDArray[np.float32]]:
    """Read the whole sound, piece after piece."""
    count = PIECE_S * sound.rate_hz
    for start in range(0, sound.frames, count):
        yield sound.read(start, count)


class SampledSound:
    """Sound held in memory."""

    def __init__(self, samples: NDArray[np.float32], rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.frames = len(samples)
        self._samples = np.asarray(samples, dtype=np.float32)

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        """Return the samples, a view."""
        return self._samples[start : start + count]


class FileSound:
    """The sound of an open audio file, its channels mixed, or one of them (counted from 1).

    `where` names it in problems. A rate above 48 kHz is divided by a whole number.
    """

    def __init__(self, file: Any, where: str, channel: int | None = None) -> None:
        self._file = file
        self._where = where
        self._channel = channel
        self._lock = threading.Lock()
        self._divisor = _divisor(int(file.samplerate))
        self.rate_hz = int(file.samplerate) // self._divisor
        self.frames = -(-int(file.frames) // self._divisor)

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        """Read from the file; where that breaks off before its end, UserError says when."""
        count = max(0, min(count, self.frames - start))
        if self._divisor == 1:
            return self._mono(start, count)
        import soxr

        first = max(0, start - MARGIN)
        around = self._mono(first * self._divisor, (start - first + count + MARGIN) * self._divisor)
        lower = soxr.resample(around, self._divisor * self.rate_hz, self.rate_hz)
        return np.asarray(lower[start - first : start - first + count], dtype=np.float32)

    def _mono(self, start: int, count: int) -> NDArray[np.float32]:
        from soundfile import SoundFileError

        count = min(count, int(self._file.frames) - start)
        try:
            with self._lock:
                if self._file.tell() != start:
                    self._file.seek(start)
                samples = self._file.read(count, dtype="float32", always_2d=True)
        except SoundFileError:
            samples = np.zeros((0, 1), dtype=np.float32)
        if len(samples) < count:
            broken_s = (start + len(samples)) / self._file.samplerate
            what = f"damaged: it breaks off at {broken_s:.2f} s"
            raise UserError(Problem(self._where, what, "record or convert it again"))
        return np.nan_to_num(picked(samples, self._channel), posinf=0.0, neginf=0.0)


def open_sound(path: Path, channel: int | None = None) -> FileSound:
    """Return the sound of a recording.

    UserError with everything that is wrong: unreadable, empty, no such channel, a rate outside of
    8..192 kHz or one that no whole number brings down to 48 kHz, longer than four hours.
    """
    file = open_file(path)
    if problems := _problems(str(path), file, channel):
        file.close()
        raise UserError.of(problems)
    return FileSound(file, str(path), channel)


def _problems(where: str, file: Any, channel: int | None) -> list[Problem]:
    rate_hz, duration_s = int(file.samplerate), file.frames / file.samplerate
    problems = []
    divisor = _divisor(rate_hz)
    if not file.frames:
        problems.append(Problem(where, "it holds no sound", f"use a {FORMATS} file with sound"))
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ or not divisor:
        what = f"its rate of {rate_hz} Hz cannot be used, which goes from {MIN_RATE_HZ} Hz"
        remedy = "convert it to 48000 Hz"
        problems.append(Problem(where, f"{what} to {MAX_RATE_HZ} Hz", remedy))
    if duration_s > MAX_SOUND_S:
        what = f"it lasts {duration_s / 3600:.1f} h, at most {MAX_SOUND_S / 3600:g} h are possible"
        problems.append(Problem(where, what, "cut it into parts"))
    if channel is not None and channel > file.channels:
        what = f"channel {channel} is asked for, the file has {file.channels}"
        problems.append(Problem(where, what, "choose another, or none to mix them"))
    return problems


def _divisor(rate_hz: int) -> int:
    """Return the smallest whole number that brings a rate down to 48 kHz without a rest, else 0."""
    least = -(-rate_hz // MAX_SOUND_RATE_HZ)
    fitting = (n for n in range(least, rate_hz // MIN_RATE_HZ + 1) if rate_hz % n == 0)
    return next(fitting, 0)
