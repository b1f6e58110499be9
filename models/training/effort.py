"""Speech with more or less effort, made of speech as it was recorded.

A raised voice is louder, brighter and higher, a murmur softer, duller and a little lower
(Traunmüller and Eriksson, JASA 107, 2000; the figures here are round), and a mouth opens with
it: a shout by `OPENS` more, a murmur by `CLOSES` less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from cstalk_bridge.models.timing import SAMPLE_RATE_HZ
from cstalk_bridge.models.training.augmentation import other_voices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


OPENS, CLOSES = 0.6, 0.5
SHOUT_OCTAVES, MURMUR_OCTAVES = 0.45, 0.1
SHOUT_DB, MURMUR_DB, LEVEL_SPREAD_DB = 13.0, 11.0, 1.5
TILT_DB, TILT_HZ, TILT_OCTAVES = 3.5, 700.0, (-2.0, 2.5)
"""Decibels an octave at full effort, about this frequency, over these octaves."""
LEAST = 0.05
"""Effort under which nothing is done to the sound."""


def opening(effort: Floats) -> Floats:
    """Return by how much a mouth opens wider at an `effort` of -1 (murmur) to 1 (shout)."""
    return np.asarray(1.0 + np.where(effort > 0, OPENS, CLOSES) * effort, dtype=np.float32)


def with_effort(sound: Floats, effort: float, random: np.random.Generator) -> Floats:
    """Return `sound` [time], mono 16 kHz, as if spoken with an effort of -1 to 1."""
    if abs(effort) < LEAST or len(sound) < SAMPLE_RATE_HZ // 2:
        return sound
    octaves = SHOUT_OCTAVES * max(effort, 0.0) + MURMUR_OCTAVES * min(effort, 0.0)
    pitch = torch.tensor([2.0**octaves], dtype=torch.float32)
    throat = torch.tensor([1.0 + 0.04 * max(effort, 0.0)], dtype=torch.float32)
    made = other_voices(torch.from_numpy(sound)[None], pitch, throat)
    spectrum = torch.fft.rfft(made)
    hz = torch.linspace(0.0, SAMPLE_RATE_HZ / 2, spectrum.shape[-1])
    octaves_up = torch.log2((hz + 150.0) / TILT_HZ).clamp(*TILT_OCTAVES)
    tilted = torch.fft.irfft(
        spectrum * 10.0 ** (TILT_DB * effort * octaves_up / 20.0), made.shape[-1]
    )[0].numpy()
    gain_db = (SHOUT_DB if effort > 0 else MURMUR_DB) * effort
    gain_db += random.normal(0.0, LEVEL_SPREAD_DB)
    before, after = (np.sqrt(np.square(x).mean() + 1e-9) for x in (sound, tilted))
    return np.asarray(tilted * (before / after * 10.0 ** (gain_db / 20.0)), dtype=np.float32)
