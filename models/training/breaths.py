"""Breaths in the pauses of a recording: sound that no mouth movement belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

CROP_SHARE = 0.35  # of the crops that have a pause at all
PAUSE_HOPS = 20  # in a shorter pause the mouth may be on its way
MARGIN_HOPS = 4
LENGTH_S = (0.12, 0.6)
BELOW_SPEECH_DB = (-38.0, -16.0)  # peak against the peak of the speech around it
ALONE_DBFS = (-50.0, -20.0)
RESONANCES_HZ = ((400.0, 900.0), (1200.0, 2300.0), (2600.0, 4800.0))
WIDTH_HZ = (250.0, 900.0)


def with_breaths(
    sound: NDArray[np.float32], pauses: NDArray[np.bool_], random: np.random.Generator
) -> NDArray[np.float32]:
    """Return `sound` [time] at 16 kHz, at times with breaths where `pauses` [hops] are long.

    The last hop of `pauses` ends with the sound; what lies before the first is left alone.
    """
    if random.random() >= CROP_SHARE:
        return sound
    heard = sound.copy()
    before = len(sound) - len(pauses) * HOP_SAMPLES
    peak = float(np.abs(sound).max())
    for first, end in _runs(pauses):
        length = int(random.uniform(*LENGTH_S) * SAMPLE_RATE_HZ)
        low, high = (first + MARGIN_HOPS) * HOP_SAMPLES, (end - MARGIN_HOPS) * HOP_SAMPLES
        length = min(length, high - low)
        start = before + int(random.integers(low, high - length + 1))
        level_db = random.uniform(*(BELOW_SPEECH_DB if peak > 1e-3 else ALONE_DBFS))
        level = (peak if peak > 1e-3 else 1.0) * 10 ** (level_db / 20)
        heard[start : start + length] += level * breath(length, random)
    return heard


def breath(length: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Return one breath of peak 1: noise through the resonances of an open throat, [time]."""
    frequencies_hz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE_HZ)
    response = np.full(len(frequencies_hz), 0.02)
    for low_hz, high_hz in RESONANCES_HZ:
        offset = (frequencies_hz - random.uniform(low_hz, high_hz)) / random.uniform(*WIDTH_HZ)
        response += random.uniform(0.2, 1.0) / (1.0 + np.square(offset))
    noise = np.fft.irfft(np.fft.rfft(random.standard_normal(length)) * response, length)
    turn = random.uniform(0.3, 0.7)
    at = np.linspace(0.0, 1.0, length)
    swell = np.where(at < turn, at / turn, (1.0 - at) / (1.0 - turn))
    shaped = noise * np.square(np.sin(0.5 * np.pi * swell))
    return np.asarray(shaped / max(1e-9, float(np.abs(shaped).max())), dtype=np.float32)


def _runs(pauses: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], pauses, [False])).astype(np.int8)))
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        if end - first >= PAUSE_HOPS:
            yield int(first), int(end)
