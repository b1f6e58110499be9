"""The sound of a take, mono, at most 48 kHz, read in pieces, so that hours need no memory; and its
waveform and spectrogram as arrays.

It is resampled to the 16 kHz of the network, and encoded as FLAC, also while something else works
on the take.

The work of an image is bounded: of a part longer than `MAX_SAMPLES` each column shows only the
first of its samples.
"""

from __future__ import annotations

import tempfile
import threading
import weakref
from contextlib import ExitStack
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Final, Protocol

import numpy as np

from cstalk_bridge.audio.decoder import (
    FORMATS,
    MAX_DECODED_S,
    RandomAccessReader,
    open_decoder,
    reopener,
)
from cstalk_bridge.audio.inputs import Survey, survey
from cstalk_bridge.audio.levels import pick_channel
from cstalk_bridge.audio.preprocessing import MAX_RATE_HZ, MIN_RATE_HZ, DcBlock
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.models.timing import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor, Future
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.audio.decoder import Decoder
    from cstalk_bridge.audio.levels import Channel


MAX_SOUND_RATE_HZ = 48_000
"""Greatest sample rate of a take's audio; more is audible neither to people nor to the network."""

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
    messages for the user. UserError for a rate out of range, or that cannot be divided so.
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
        self._readers = RandomAccessReader(opened, MARGIN * _MAX_DIVISOR)
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
        """Read from the file; UserError, with the time, where it is truncated."""
        count = max(0, min(count, self.frames - start))
        if self._divisor == 1:
            return self._mono(start, count)
        import soxr

        first = max(0, start - MARGIN)
        around = self._mono(first * self._divisor, (start - first + count + MARGIN) * self._divisor)
        lower = soxr.resample(around, self._divisor * self.rate_hz, self.rate_hz)
        return np.asarray(lower[start - first : start - first + count], dtype=np.float32)

    def again(self) -> FileSound:
        """Return the same sound from a file that is opened again, for another thread."""
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
        return np.nan_to_num(pick_channel(samples, self._channel), posinf=0.0, neginf=0.0)


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
    """Return the problems that the header alone shows."""
    rate_hz, problems = decoder.rate_hz, []
    if decoder.frames == 0:
        problems.append(Problem(where, "it contains no audio", f"use a {FORMATS} file with sound"))
    if not _is_usable(rate_hz):
        problems.append(_unusable(where, rate_hz))
    if isinstance(channel, int) and channel > decoder.channels:
        what = f"channel {channel} does not exist, the file has {decoder.channels}"
        problems.append(Problem(where, what, "choose another, or none to mix them"))
    if rate_hz and (decoder.frames or 0) > MAX_SOUND_S * rate_hz:
        problems.append(_too_long(where, f"{(decoder.frames or 0) / rate_hz / 3600:.1f} h"))
    return problems


def _content_problems(where: str, found: Survey, rate_hz: int) -> list[Problem]:
    """Return the problems of what can be decoded."""
    if found.frames > MAX_SOUND_S * rate_hz:
        return [_too_long(where, f"more than {MAX_SOUND_S / 3600:g} h")]
    if damage := found.damage(rate_hz):
        return [Problem(where, damage, _AGAIN)]
    if not found.frames:
        return [Problem(where, "it contains no audio", f"use a {FORMATS} file with sound")]
    return []


def _too_long(where: str, lasts: str) -> Problem:
    what = f"it lasts {lasts}, the limit is {MAX_SOUND_S / 3600:g} h"
    return Problem(where, what, "cut it into parts")


def _is_usable(rate_hz: int) -> bool:
    return MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ and _divisor(rate_hz) > 0


def _unusable(where: str, rate_hz: int) -> Problem:
    what = f"its sample rate of {rate_hz} Hz is not within {MIN_RATE_HZ}"
    return Problem(where, f"{what} to {MAX_RATE_HZ} Hz", "convert it to 48000 Hz")


def _divisor(rate_hz: int) -> int:
    """Return the smallest whole number that brings a rate down to 48 kHz without a rest, else 0."""
    least = -(-rate_hz // MAX_SOUND_RATE_HZ)
    fitting = (n for n in range(least, rate_hz // MIN_RATE_HZ + 1) if rate_hz % n == 0)
    return next(fitting, 0)


def network_input_samples(sound: Sound) -> int:
    """Return how many samples a recording has at the network's rate, 16 kHz."""
    return -(-sound.frames * SAMPLE_RATE_HZ // sound.rate_hz)


def network_input(sound: Sound) -> Iterator[NDArray[np.float32]]:
    """Yield the sound at 16 kHz, [time], piece after piece, `network_input_samples` in all.

    What is constant in it is taken out, as the listener of a live voice does.
    """
    left = network_input_samples(sound)
    for piece in _resampled(sound):
        yield piece[:left]
        left -= min(left, len(piece))
    yield np.zeros(left, dtype=np.float32)


def _resampled(sound: Sound) -> Iterator[NDArray[np.float32]]:
    dc_block = DcBlock(sound.rate_hz)
    if sound.rate_hz == SAMPLE_RATE_HZ:
        yield from map(dc_block.push, pieces(sound))
        return
    import soxr

    resampler = soxr.ResampleStream(sound.rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32")
    for piece in pieces(sound):
        yield resampler.resample_chunk(dc_block.push(piece))
    yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)


IN_MEMORY_BYTES = 4 << 20
"""An encoded sound that is larger lies in a temporary file."""


class EncodedSound:
    """A `Sound` that is encoded as FLAC from now on, by `threads`."""

    def __init__(self, sound: Sound, threads: Executor) -> None:
        self.rate_hz = sound.rate_hz
        self.frames = sound.frames
        self._sound = sound
        self._ahead: Future[IO[bytes]] | None = threads.submit(encode_flac, sound)
        self._unused = weakref.finalize(self, _close_unused, self._ahead)

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        """Read from the original sound."""
        return self._sound.read(start, count)

    def flac(self) -> IO[bytes]:
        """Wait for the encoded sound and hand it over, open at its start; later ones are new."""
        ahead, self._ahead = self._ahead, None
        self._unused.detach()
        return ahead.result() if ahead else encode_flac(self._sound)


def _close_unused(ahead: Future[IO[bytes]]) -> None:
    """Close a file that nobody used, once it is open."""
    if not ahead.cancel():
        ahead.add_done_callback(lambda done: done.exception() or done.result().close())


def encode_flac(sound: Sound) -> IO[bytes]:
    """Return a sound as FLAC, in a file open at its start."""
    with ExitStack() as failing:
        file = failing.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES))
        write_flac(sound, file)
        failing.pop_all()
    file.seek(0)
    return file


def write_flac(sound: Sound, file: IO[bytes]) -> None:
    """Write a sound as FLAC, mono, 16 bit; louder than full scale is clipped."""
    from soundfile import SoundFile

    with SoundFile(file, "w", sound.rate_hz, 1, "PCM_16", format="FLAC") as flac:
        for piece in pieces(sound):
            flac.write(piece)


MAX_COLUMNS = 4096
MAX_BANDS = 128

MAX_SAMPLES = 1 << 22
"""Samples read for one picture: 87 s at 48 kHz."""

PIECE_COLUMNS = 256
"""Columns worked on at once: 256 windows of 2048 samples are 2 MB."""

WINDOW_S = 0.032
"""Least length of a window of the spectrogram: a few periods of the lowest voice."""

LOWEST_HZ, HIGHEST_HZ = 60.0, 8000.0
"""Lower and upper end of the bands; speech holds little beyond."""

FLOOR_DB = -80.0
"""Level drawn as 0; a sine of full scale, 0 dBFS, as 255."""

HANN_NOISE_BINS = 1.5
"""Bins over which a Hann window spreads the power of a sine (its equivalent noise bandwidth)."""


def waveform_extrema(sound: Sound, start_s: float, end_s: float, columns: int) -> NDArray[np.int8]:
    """Return the least and greatest sample of each column, int8 [columns, 2], 127 at full scale.

    Columns divide the range evenly; outside of the sound they are 0. ValueError for a range or a
    number of columns out of range.
    """
    edges = _edges(sound, start_s, end_s, columns)
    limits = np.zeros((columns, 2), dtype=np.float32)
    limit = max(1, MAX_SAMPLES // columns)
    for first in range(0, columns, PIECE_COLUMNS):
        part = edges[first : first + PIECE_COLUMNS + 1]
        is_whole = part[-1] - part[0] <= limit * (len(part) - 1)
        found = _limits(sound, part) if is_whole else _sampled_limits(sound, part, limit)
        limits[first : first + len(found)] = found
    return np.asarray(np.round(np.clip(limits, -1.0, 1.0) * 127), dtype=np.int8)


def spectrogram_levels(
    sound: Sound, start_s: float, end_s: float, columns: int, bands: int
) -> NDArray[np.uint8]:
    """Return the level of each band around the middle of each column, uint8 [bands, columns].

    Bands are triangles spaced evenly in mel from 60 Hz to 8 kHz, the lowest first. ValueError as
    for `waveform`, and for a number of bands out of range.
    """
    if not 1 <= bands <= MAX_BANDS:
        raise ValueError(f"bands: {bands} is not within 1..{MAX_BANDS}")
    edges = _edges(sound, start_s, end_s, columns)
    size = 1 << (int(WINDOW_S * sound.rate_hz) - 1).bit_length()
    starts = (edges[:-1] + edges[1:]) // 2 - size // 2
    hann = np.hanning(size + 1)[:-1].astype(np.float32)
    weights = _triangles(sound.rate_hz, size, bands)
    picture = np.empty((bands, columns), dtype=np.uint8)
    for first in range(0, columns, PIECE_COLUMNS):
        part = starts[first : first + PIECE_COLUMNS]
        spectrum = np.fft.rfft(_windows(sound, part, size) * hann)
        power = (np.abs(spectrum) * 2.0 / hann.sum()) ** 2
        level_db = 10.0 * np.log10(power @ weights / HANN_NOISE_BINS + 1e-12)
        share = np.clip(1.0 - level_db / FLOOR_DB, 0.0, 1.0)
        picture[:, first : first + len(part)] = np.round(share * 255).T
    return picture


def _edges(sound: Sound, start_s: float, end_s: float, columns: int) -> NDArray[np.int64]:
    """Return the sample at which each column begins, and the end, [columns + 1]."""
    duration_s = sound.frames / sound.rate_hz
    if not 1 <= columns <= MAX_COLUMNS:
        raise ValueError(f"columns: {columns} is not within 1..{MAX_COLUMNS}")
    if not 0.0 <= start_s < end_s <= duration_s + 1.0:
        what = f"start_s {start_s:g} to end_s {end_s:g} is not a range"
        raise ValueError(f"{what} of a sound of {duration_s:g} s")
    return np.asarray(np.linspace(start_s, end_s, columns + 1) * sound.rate_hz, dtype=np.int64)


def _limits(sound: Sound, edges: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return least and greatest of all samples between the edges, [columns, 2]."""
    first, last = int(edges[0]), max(int(edges[-1]), int(edges[-2]) + 1)
    samples = _padded(sound, first, last - first)
    places = edges[:-1] - first
    least = np.minimum.reduceat(samples, places)
    return np.stack([least, np.maximum.reduceat(samples, places)], axis=1)


def _sampled_limits(sound: Sound, edges: NDArray[np.int64], limit: int) -> NDArray[np.float32]:
    """Return least and greatest of the first `limit` samples after each edge, [columns, 2]."""
    sampled = [_padded(sound, int(edge), limit) for edge in edges[:-1]]
    return np.array([(samples.min(), samples.max()) for samples in sampled], dtype=np.float32)


def _windows(sound: Sound, starts: NDArray[np.int64], size: int) -> NDArray[np.float32]:
    """Return the samples from each start on, [starts, size]; read at once where they are dense."""
    span = int(starts[-1] - starts[0]) + size
    if span > size * len(starts):
        return np.stack([_padded(sound, int(start), size) for start in starts])
    samples = _padded(sound, int(starts[0]), span)
    windows = np.lib.stride_tricks.sliding_window_view(samples, size)
    return np.asarray(windows[starts - starts[0]])


def _padded(sound: Sound, start: int, count: int) -> NDArray[np.float32]:
    """Return exactly `count` samples from `start` on, zeros outside of the sound."""
    samples = np.zeros(count, dtype=np.float32)
    before = max(0, -start)
    if before < count and start < sound.frames:
        part = sound.read(start + before, count - before)
        samples[before : before + len(part)] = part
    return samples


@lru_cache(maxsize=8)
def _triangles(rate_hz: int, size: int, bands: int) -> NDArray[np.float32]:
    """Return how much of each bin's power belongs to each band, [bins, bands].

    A band narrower than a bin is widened to one, so that none is empty.
    """
    # O'Shaughnessy, Speech Communication, 1987: mel = 2595 log10(1 + Hz / 700).
    low_mel, high_mel = (2595.0 * np.log10(1.0 + hz / 700.0) for hz in (LOWEST_HZ, HIGHEST_HZ))
    points_hz = 700.0 * (10.0 ** (np.linspace(low_mel, high_mel, bands + 2) / 2595.0) - 1.0)
    bins_hz = np.fft.rfftfreq(size, 1.0 / rate_hz)[:, None]
    centre = points_hz[1:-1]
    below = np.maximum(centre - points_hz[:-2], rate_hz / size)
    above = np.maximum(points_hz[2:] - centre, rate_hz / size)
    rising, falling = (bins_hz - centre) / below, (centre - bins_hz) / above
    return np.asarray(np.clip(1.0 + np.minimum(rising, falling), 0.0, 1.0), dtype=np.float32)
