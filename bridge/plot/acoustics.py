"""The sound of a take as pictures need it, over any length: waveform, spectrogram, loudness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.preview import drawing
from bridge.preview.drawing import FLOOR_DB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bridge.takes.sound import Sound

    Floats = NDArray[np.float32]

PIECE_SAMPLES = 1 << 20
"""Samples read at once."""
WINDOWS = 4
"""Windows of the spectrogram of which one column is the mean, where it is long enough."""


def waveform(sound: Sound, start_s: float, end_s: float, columns: int) -> Floats:
    """Return the least and greatest sample of each column, [columns, 2]; 0 outside of the sound."""
    edges_s = np.linspace(start_s, end_s, columns + 1)
    limits = np.zeros((columns, 2), dtype=np.float32)
    audible = int(np.searchsorted(edges_s, sound.frames / sound.rate_hz))
    column_samples = (end_s - start_s) / columns * sound.rate_hz
    step = max(1, int(PIECE_SAMPLES / column_samples))
    for first in range(0, min(audible, columns), step):
        last = min(first + step, audible, columns)
        found = drawing.waveform(sound, edges_s[first], edges_s[last], last - first)
        limits[first:last] = found / np.float32(127)
    return limits


def spectrogram(sound: Sound, start_s: float, end_s: float, columns: int, bands: int) -> Floats:
    """Return levels in dBFS, [bands, columns]; band 0 is the lowest, `FLOOR_DB` the least."""
    edges_s = np.linspace(start_s, end_s, columns + 1)
    levels = np.full((bands, columns), FLOOR_DB, dtype=np.float32)
    audible = min(int(np.searchsorted(edges_s, sound.frames / sound.rate_hz)), columns)
    if not audible:
        return levels
    column_windows = (end_s - start_s) / columns / drawing.WINDOW_S
    windows = int(np.clip(column_windows, 1, min(WINDOWS, drawing.MAX_COLUMNS // audible)))
    picture = drawing.spectrogram(sound, start_s, edges_s[audible], windows * audible, bands)
    mean = picture.reshape(bands, audible, windows).mean(axis=2, dtype=np.float32)
    levels[:, :audible] = FLOOR_DB * (1 - mean / 255)
    return levels


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
    first = 0
    while first < len(edges) - 1:
        fitting = int(np.searchsorted(edges, edges[first] + PIECE_SAMPLES, side="right")) - 1
        last = max(fitting, first + 1)
        begin, end = int(edges[first]), int(edges[last])
        before = min(max(0, -begin), end - begin)
        samples = sound.read(begin + before, end - begin - before)
        padding = (before, end - begin - before - len(samples))
        yield np.pad(samples, padding), edges[first:last] - begin
        first = last


def place_of_hertz(hertz: float) -> float:
    """Return where a frequency lies in the spectrogram, 0 its lower and 1 its upper edge."""
    low, high, mel = (np.log10(1 + f / 700) for f in (drawing.LOWEST_HZ, drawing.HIGHEST_HZ, hertz))
    return float((mel - low) / (high - low))
