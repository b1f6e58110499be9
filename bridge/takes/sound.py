"""The sound of a take: mono, at most 48 kHz, read in pieces, so that hours need no memory."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from bridge.audio.channel import picked
from bridge.audio.decoder import FORMATS, MAX_DECODED_S, open_decoder, reopener
from bridge.audio.readers import Readers
from bridge.audio.resample import MAX_RATE_HZ, MIN_RATE_HZ
from bridge.audio.survey import Survey, survey
from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from bridge.audio.channel import Channel
    from bridge.audio.decoder import Decoder

MAX_SOUND_RATE_HZ = 48_000
"""Rate of the sound of a take at most; more is not heard, neither by people nor by the network."""

MAX_SOUND_S = MAX_DECODED_S
"""Length of one recording at most."""

MARGIN = 512
"""Samples, before and after what is read, which the filter of a lower rate needs."""

_MAX_DIVISOR: Final = 48
"""Of a rate up to 384 kHz that goes down to 8 kHz at the least."""

_AGAIN: Final = "record it again, or convert it, which keeps what can be read"

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
    """The sound of an audio file, its channels mixed, or one of them (counted from 1).

    `opened` opens the file each time it is called, and `frames` is how many its decoder gives.
    `where` names it in problems. A rate above 48 kHz is divided by a whole number. `notices` are
    what is to be told to the user. UserError for a rate out of range, or that cannot be divided so.
    """

    def __init__(
        self,
        opened: Callable[[], Decoder],
        where: str,
        frames: int | None = None,
        channel: Channel = None,
        notices: tuple[str, ...] = (),
    ) -> None:
        self._opened = opened
        self._readers = Readers(opened, MARGIN * _MAX_DIVISOR)
        self._where = where
        self._channel = channel
        self._lock = threading.Lock()
        decoder = self._readers.first
        self._file_frames = frames if frames is not None else decoder.frames or 0
        self._file_rate_hz = decoder.rate_hz
        self._divisor = _divisor(decoder.rate_hz)
        if not _is_usable(decoder.rate_hz):
            decoder.close()
            raise UserError(_unusable(where, decoder.rate_hz))
        self.rate_hz = decoder.rate_hz // self._divisor
        self.frames = -(-self._file_frames // self._divisor)
        self.notices = notices

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

    def again(self) -> FileSound:
        """Return the same sound from a file that is opened anew, for another thread."""
        return FileSound(self._opened, self._where, self._file_frames, self._channel, self.notices)

    def _mono(self, start: int, count: int) -> NDArray[np.float32]:
        count = min(count, self._file_frames - start)
        with self._lock:
            samples, fault = self._readers.read(start, count)
        if len(samples) < count:
            found = Survey(
                start + len(samples), None, self._file_frames / self._file_rate_hz, fault
            )
            raise UserError(Problem(self._where, found.damage(self._file_rate_hz), _AGAIN))
        return np.nan_to_num(picked(samples, self._channel), posinf=0.0, neginf=0.0)


def open_sound(path: Path, channel: Channel = None) -> FileSound:
    """Return the sound of a recording.

    UserError with everything that is wrong: unreadable, empty, less than its header promises, no
    such channel, a rate outside of 8..384 kHz or one that no whole number brings down to 48 kHz,
    longer than four hours.
    """
    decoder, layout = open_decoder(path)
    try:
        if problems := _problems(str(path), decoder, channel):
            raise UserError.of(problems)
        found = survey(decoder, layout, channel)
        if problems := _content_problems(str(path), found, decoder.rate_hz):
            raise UserError.of(problems)
    finally:
        decoder.close()
    return FileSound(reopener(path, layout), str(path), found.frames, found.channel, found.notices)


def _problems(where: str, decoder: Decoder, channel: Channel) -> list[Problem]:
    """Return what the header alone shows to be wrong."""
    rate_hz, problems = decoder.rate_hz, []
    if decoder.frames == 0:
        problems.append(Problem(where, "it holds no sound", f"use a {FORMATS} file with sound"))
    if not _is_usable(rate_hz):
        problems.append(_unusable(where, rate_hz))
    if isinstance(channel, int) and channel > decoder.channels:
        what = f"channel {channel} is asked for, the file has {decoder.channels}"
        problems.append(Problem(where, what, "choose another, or none to mix them"))
    if rate_hz and (decoder.frames or 0) > MAX_SOUND_S * rate_hz:
        problems.append(_too_long(where, f"{(decoder.frames or 0) / rate_hz / 3600:.1f} h"))
    return problems


def _content_problems(where: str, found: Survey, rate_hz: int) -> list[Problem]:
    """Return what is wrong with what can be decoded."""
    if found.frames > MAX_SOUND_S * rate_hz:
        return [_too_long(where, f"more than {MAX_SOUND_S / 3600:g} h")]
    if damage := found.damage(rate_hz):
        return [Problem(where, damage, _AGAIN)]
    if not found.frames:
        return [Problem(where, "it holds no sound", f"use a {FORMATS} file with sound")]
    return []


def _too_long(where: str, lasts: str) -> Problem:
    what = f"it lasts {lasts}, at most {MAX_SOUND_S / 3600:g} h are possible"
    return Problem(where, what, "cut it into parts")


def _is_usable(rate_hz: int) -> bool:
    return MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ and _divisor(rate_hz) > 0


def _unusable(where: str, rate_hz: int) -> Problem:
    what = f"its rate of {rate_hz} Hz cannot be used, which goes from {MIN_RATE_HZ} Hz"
    return Problem(where, f"{what} to {MAX_RATE_HZ} Hz", "convert it to 48000 Hz")


def _divisor(rate_hz: int) -> int:
    """Return the smallest whole number that brings a rate down to 48 kHz without a rest, else 0."""
    least = -(-rate_hz // MAX_SOUND_RATE_HZ)
    fitting = (n for n in range(least, rate_hz // MIN_RATE_HZ + 1) if rate_hz % n == 0)
    return next(fitting, 0)
