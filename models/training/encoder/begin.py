"""The encoder as it begins: the teacher's own layers, with distance in the place of position."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from models.encoder.network import MOST_RIGHT, OFFSET_SCALE, REACH_HOPS, RIGHT_HOPS, Encoder
from models.timing import ROW_RATE_HZ
from models.training.encoder.whisper import LONGEST_S, front_state, layer_state, positions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from models.encoder.network import Layer

PLACED_ROWS = 300
"""Rows of Whisper's sinusoids whose mean stands for every position."""
FITTED_DELAY = len(RIGHT_HOPS) - 1
LEAST_SPREAD = 0.05


def begun(checkpoint: Path, sounds: Sequence[NDArray[np.float32]]) -> Encoder:
    """Return an encoder with the layers of a Whisper checkpoint, fitted on `sounds` [time] each."""
    tensors = np.load(checkpoint)
    encoder = Encoder().eval()
    encoder.load_state_dict(front_state(tensors), strict=False)
    for number, layer in enumerate(encoder.stack):
        layer.load_state_dict(layer_state(tensors, number), strict=False)
    with torch.no_grad():
        encoder.place.copy_(positions(PLACED_ROWS).mean(0))
        fit_offsets(encoder, sounds)
    return encoder


@torch.no_grad()
def fit_offsets(encoder: Encoder, sounds: Sequence[NDArray[np.float32]]) -> None:
    """Set what distance adds to the scores to what positions add on the average, layer by layer."""
    random = np.random.default_rng(3)
    placed, free = [], []
    for sound in sounds:
        rows = encoder.front(encoder.mel(torch.from_numpy(sound)[None]))
        first = int(random.integers(int(LONGEST_S * ROW_RATE_HZ) - rows.shape[1]))
        placed.append(rows + positions(first + rows.shape[1])[first:])
        free.append(rows + encoder.place)
    for layer, right in zip(encoder.stack, RIGHT_HOPS[FITTED_DELAY], strict=True):
        layer.offset.copy_(_mean_difference(layer, placed, free) / OFFSET_SCALE)
        free = [layer(x, right) for x in free]
        placed = [layer(x, 0)[:, : y.shape[1]] for x, y in zip(placed, free, strict=True)]


def _mean_difference(layer: Layer, placed: Sequence[Tensor], free: Sequence[Tensor]) -> Tensor:
    """Return how much higher scores are with positions, by distance, [heads, distances]."""
    distances = REACH_HOPS + 1 + MOST_RIGHT
    total, count = torch.zeros(layer.heads, distances), torch.zeros(distances)
    for one, other in zip(placed, free, strict=True):
        gained = (layer.content_scores(one) - layer.content_scores(other))[0]
        gained = gained - gained.mean(-1, keepdim=True)
        for place in range(distances):
            found = torch.diagonal(gained, place - REACH_HOPS, 1, 2)
            total[:, place] += found.sum(1)
            count[place] += found.shape[1]
    return total / count.clamp(min=1)


def standardise(encoder: Encoder, layers: Sequence[NDArray[np.float32]]) -> None:
    """Set the encoder's output scale to that of the teacher's layer, [rows, width] each."""
    rows = torch.from_numpy(np.concatenate(layers))
    encoder.mean.copy_(rows.mean(0))
    encoder.spread.copy_(rows.std(0) + LEAST_SPREAD)
