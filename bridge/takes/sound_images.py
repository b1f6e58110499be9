"""Waveform and spectrogram of a part of a sound, as arrays of numbers.

The work of a request is bounded: of a part longer than `MAX_SAMPLES` each column shows only the
beginning of its samples. The sound is read in pieces.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cstalk_bridge.takes.sound import Sound


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


def waveform(sound: Sound, start_s: float, end_s: float, columns: int) -> NDArray[np.int8]:
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


def spectrogram(
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
