"""The sound of a take as pictures need it: outline, loudness, spectrogram; read in pieces."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from bridge.plot.thin import bins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from bridge.takes.sound import Sound

    Floats = NDArray[np.float32]
    Places = NDArray[np.intp]
    Reduction = Callable[[Floats, Places], Floats]

FLOOR_DB = -80.0
"""What counts as silence, in dB below full scale (a sine between -1 and 1, 0 dBFS)."""
LOWEST_HZ, HIGHEST_HZ = 60.0, 8000.0
WINDOW_S = 0.025
"""Length of the Hann window of the spectrogram."""
MOST_WINDOWS = 4
"""Windows of which one column of the spectrogram is the mean, where it is long enough."""
PIECE_SAMPLES = 1 << 20
"""Samples read at once."""


def outline(sound: Sound, start_s: float, end_s: float, columns: int) -> Floats:
    """Return the lowest and highest sample of each of at most `columns` stretches, [columns, 2]."""
    first, last = round(start_s * sound.rate_hz), round(end_s * sound.rate_hz)
    edges = first + bins(last - first, columns)
    lowest, highest = _reduced(sound, edges, _extremes)
    return np.stack((lowest, highest), axis=1)


def loudness(sound: Sound, rows: int, rate_hz: float, start_s: float = 0.0) -> Floats:
    """Return the level at each row of a take in dBFS, float32 [rows], `FLOOR_DB` at least.

    Row i stands at `start_s` + i / `rate_hz`; its level is that of three row times around it.
    """
    edges = np.rint((start_s + (np.arange(rows + 3) - 1.5) / rate_hz) * sound.rate_hz)
    energy = _reduced(sound, edges.astype(np.intp), _energy)[0]
    mean = np.convolve(energy, np.ones(3), "valid") / np.maximum(edges[3:] - edges[:-3], 1)
    # The mean square of a full-scale sine is a half.
    return np.asarray(10 * np.log10(np.maximum(2 * mean, 10 ** (FLOOR_DB / 10))), dtype=np.float32)


def spectrogram(sound: Sound, start_s: float, end_s: float, columns: int, bands: int) -> Floats:
    """Return levels in dBFS, [bands, columns]; band 0 is the lowest, `FLOOR_DB` the least.

    The bands lie evenly on the mel scale from `LOWEST_HZ` to `HIGHEST_HZ` or half the sound's rate.
    """
    window = np.hanning(round(WINDOW_S * sound.rate_hz)).astype(np.float32)
    count = len(window)
    size = 1 << (2 * count - 1).bit_length()
    filters = mel_filters(bands, size, sound.rate_hz)
    edges = np.linspace(start_s, end_s, columns + 1) * sound.rate_hz
    powers = np.zeros((columns, bands), dtype=np.float32)
    for column, (left, right) in enumerate(itertools.pairwise(edges)):
        windows = int(np.clip((right - left) // count, 1, MOST_WINDOWS))
        middle = (left + right) / 2
        around = _read(sound, round(middle - windows * count / 2), windows * count)
        spectrum = np.fft.rfft(around.reshape(windows, count) * window, size)
        powers[column] = filters @ (np.abs(spectrum) ** 2).mean(axis=0)
    powers *= (2 / window.sum()) ** 2
    return 10 * np.log10(np.maximum(powers.T, 10 ** (FLOOR_DB / 10)))


def mel_filters(bands: int, size: int, rate_hz: int) -> Floats:
    """Return triangles of sum 1 over the bins of a real transform, [bands, size / 2 + 1]."""
    centres = np.fft.rfftfreq(size, 1 / rate_hz)
    corners = hertz_of_mel(
        np.linspace(mel_of_hertz(LOWEST_HZ), mel_of_hertz(highest_hz(rate_hz)), bands + 2)
    )
    # A band narrower than the bins still takes the ones around it.
    low, peak, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    reach = rate_hz / size
    rising = (centres - np.minimum(low, peak - reach)) / np.maximum(peak - low, reach)
    falling = (np.maximum(high, peak + reach) - centres) / np.maximum(high - peak, reach)
    filters = np.clip(np.minimum(rising, falling), 0, None)
    return np.asarray(filters / filters.sum(axis=1, keepdims=True), dtype=np.float32)


def highest_hz(rate_hz: int) -> float:
    """Return the upper edge of the spectrogram of a sound."""
    return min(HIGHEST_HZ, rate_hz / 2)


def mel_of_hertz(hertz: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the pitch in mel: 2595 log10(1 + f / 700) (O'Shaughnessy, 1987)."""
    return 2595 * np.log10(1 + np.asarray(hertz, dtype=np.float64) / 700)


def hertz_of_mel(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the frequency of a pitch in mel."""
    return 700 * (10 ** (mel / 2595) - 1)


def _extremes(samples: Floats, starts: Places) -> Floats:
    return np.stack((np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)))


def _energy(samples: Floats, starts: Places) -> Floats:
    return np.add.reduceat(samples * samples, starts)[None]


def _reduced(sound: Sound, edges: Places, reduce: Reduction) -> Floats:
    """Return what `reduce` makes of the stretches between edges, [results, stretches]."""
    found = [reduce(samples, starts) for samples, starts in _pieces(sound, edges)]
    return np.concatenate(found, axis=1)


def _pieces(sound: Sound, edges: Places) -> Iterator[tuple[Floats, Places]]:
    """Yield samples, about `PIECE_SAMPLES` at once, and where in them stretches begin."""
    first = 0
    while first < len(edges) - 1:
        fitting = int(np.searchsorted(edges, edges[first] + PIECE_SAMPLES, side="right")) - 1
        last = max(fitting, first + 1)
        yield (
            _read(sound, edges[first], edges[last] - edges[first]),
            edges[first:last] - edges[first],
        )
        first = last


def _read(sound: Sound, start: int, count: int) -> Floats:
    """Read `count` samples; silence before the beginning and after the end."""
    before = min(max(0, -int(start)), int(count))
    samples = sound.read(max(0, int(start)), int(count) - before)
    return np.pad(samples, (before, int(count) - before - len(samples)))
