"""What rooms, microphones, levels and other sounds make of a stream; they change as it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from models.training.augment import ALONE_DBFS, VOICES_SHARE, colour, level_and_noise
from models.training.transmission import transmit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    Sounds = list[NDArray[np.float32]]

SCENES = 2
"""Scenes of a stream, of equal length, each with a room, microphone, level and noise of its own."""
UNTOUCHED_SHARE = 0.12  # of the scenes, where digital silence stays digital
OTHERS_SHARE, OTHERS_DB = 0.12, (-26.0, -8.0)  # somebody else speaks, against the voice
SOUNDS_SHARE, SOUNDS_DB = 0.25, (-30.0, 0.0)  # a sound that is no speech goes on
QUIET_SHARE, QUIET_DB = 0.25, (-24.0, 0.0)  # of the scenes that are quieter still


def scenes(
    streams: Tensor, sounds: Sounds, random: np.random.Generator, dice: torch.Generator
) -> Tensor:
    """Return `streams` [batch, time] as they might be heard; `sounds` are no speech."""
    length = streams.shape[-1] // SCENES
    cut = streams[:, : SCENES * length].reshape(-1, length)
    rest = streams[:, SCENES * length :]
    mixed = _with_others(cut, sounds, random)
    heard = transmit(level_and_noise(colour(mixed, dice), dice, VOICES_SHARE, ALONE_DBFS), dice)
    rows = len(cut)
    untouched = torch.from_numpy(random.random((rows, 1)) < UNTOUCHED_SHARE)
    heard = torch.where(untouched, cut, heard)
    quieter_db = random.uniform(*QUIET_DB, (rows, 1)) * (random.random((rows, 1)) < QUIET_SHARE)
    heard = heard * torch.from_numpy(10 ** (quieter_db / 20)).float()
    return torch.cat((heard.reshape(len(streams), -1), rest), 1)


def _with_others(cut: Tensor, sounds: Sounds, random: np.random.Generator) -> Tensor:
    """Return scenes [rows, time] with other voices and other sounds under some of them."""
    rows, length = cut.shape
    power = cut.square().mean(-1).sqrt()
    mixed = cut.clone()
    for row in range(rows):
        if random.random() < OTHERS_SHARE:
            other = int(random.integers(rows))
            gain = _gain(random.uniform(*OTHERS_DB), power[row], power[other])
            mixed[row] += gain * cut[other].roll(int(random.integers(length)))
        if sounds and random.random() < SOUNDS_SHARE:
            sound = torch.from_numpy(sounds[random.integers(len(sounds))])
            sound = sound.repeat(-(-length // len(sound)))[:length]
            level = sound.square().mean().sqrt()
            mixed[row] += _gain(random.uniform(*SOUNDS_DB), power[row], level) * sound
    return mixed


def _gain(decibels: float, wanted: Tensor, level: Tensor) -> float:
    """Return the gain that brings `level` so far from `wanted`; none where either is silence."""
    audible = wanted > 1e-5 and level > 1e-5
    return float(10 ** (decibels / 20) * wanted / level) if audible else 0.0
