"""The sound of a take as pictures need it, over any length: waveform, spectrogram, loudness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.takes import drawing
from bridge.takes.drawing import FLOOR_DB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bridge.takes.sound import Sound

    Floats = NDArray[np.float32]

PIECE_SAMPLES = 1 << 20
"""Samples read at once."""
WINDOWS = 4
"""Windows of the spectrogram of which one column is the mean, where it is long enough."""


class Padded:
    """A sound with silence behind it, up to a time."""

    def __init__(self, sound: Sound, end_s: float) -> None:
        self.rate_hz = sound.rate_hz
        self.frames = max(sound.frames, int(np.ceil(end_s * sound.rate_hz)))
        self._sound = sound

    def read(self, start: int, count: int) -> Floats:
        """Return exactly `count` samples, [time]."""
        heard = min(count, max(0, self._sound.frames - start))
        samples = self._sound.read(start, heard) if heard else np.zeros(0, np.float32)
        return np.pad(samples, (0, count - len(samples)))


def waveform(sound: Sound, start_s: float, end_s: float, columns: int) -> Floats:
    """Return the least and greatest sample of each column, [columns, 2]; 0 outside of the sound."""
    padded = Padded(sound, end_s)
    edges_s = np.linspace(start_s, end_s, columns + 1)
    # More at once is drawn from samples of it.
    step = max(1, int(PIECE_SAMPLES / ((end_s - start_s) / columns * sound.rate_hz)))
    pieces = [
        drawing.waveform(padded, edges_s[first], edges_s[last], last - first)
        for first in range(0, columns, step)
        for last in [min(first + step, columns)]
    ]
    return np.concatenate(pieces).astype(np.float32) / np.float32(127)


def spectrogram(sound: Sound, start_s: float, end_s: float, columns: int, bands: int) -> Floats:
    """Return levels in dBFS, [bands, columns]; band 0 is the lowest, `FLOOR_DB` the least."""
    column_windows = (end_s - start_s) / columns / drawing.WINDOW_S
    windows = int(np.clip(column_windows, 1, min(WINDOWS, drawing.MAX_COLUMNS // columns)))
    padded = Padded(sound, end_s)
    picture = drawing.spectrogram(padded, start_s, end_s, windows * columns, bands)
    mean = picture.reshape(bands, columns, windows).mean(axis=2, dtype=np.float32)
    return np.asarray(FLOOR_DB * (1 - mean / np.float32(255)))


def loudness(sound: Sound, rows: int, rate_hz: float, start_s: float = 0.0) -> Floats:
    """Return the level at each row of a take in dBFS, float32 [rows], `FLOOR_DB` at least.

    Row i stands at `start_s` + i / `rate_hz`; its level is that of three row times around it.
    """
    edges = np.rint((start_s + (np.arange(rows + 3) - 1.5) / rate_hz) * sound.rate_hz)
    edges = edges.astype(np.intp)
    energy = np.concatenate(
        [np.add.reduceat(samples * samples, starts) for samples, starts in _pieces(sound, edges)]
    )
    mean = np.convolve(energy, np.ones(3), "valid") / (edges[3:] - edges[:-3])
    # The mean square of a full-scale sine is a half.
    return np.asarray(10 * np.log10(np.maximum(2 * mean, 10 ** (FLOOR_DB / 10))), dtype=np.float32)


def _pieces(sound: Sound, edges: NDArray[np.intp]) -> Iterator[tuple[Floats, NDArray[np.intp]]]:
    """Yield samples, about `PIECE_SAMPLES` at once, and where in them stretches begin."""
    padded, first = Padded(sound, 0.0), 0
    while first < len(edges) - 1:
        fitting = int(np.searchsorted(edges, edges[first] + PIECE_SAMPLES, side="right")) - 1
        last = max(fitting, first + 1)
        begin, end = int(edges[first]), int(edges[last])
        before = min(max(0, -begin), end - begin)
        samples = padded.read(begin + before, end - begin - before)
        yield np.pad(samples, (before, 0)), edges[first:last] - begin
        first = last


def place_of_hertz(hertz: float) -> float:
    """Return where a frequency lies in the spectrogram, 0 its lower and 1 its upper edge."""
    low, high, mel = (np.log10(1 + f / 700) for f in (drawing.LOWEST_HZ, drawing.HIGHEST_HZ, hertz))
    return float((mel - low) / (high - low))
