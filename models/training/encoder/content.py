"""What of the teacher's layer is the sound and what is its place in the recording.

Whisper's third layer depends on a hop's absolute position, sinusoids aside: moved by some seconds,
the same sound gives features that share a fifth of their variance. But the two do not mix: in about
250 of the 384 directions features of one sound agree wherever it stands (r 0.75 to 1), and the
place fills the others, which hold most of the variance. A causal encoder cannot know the place;
asked for it, it would learn from noise. So it is asked for the directions that agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from models.training.encoder.whisper import positions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from models.training.encoder.whisper import Whisper

    Array = NDArray[np.float64]

LEAST_AGREEMENT = 0.6
"""Correlation of a direction with itself elsewhere, from which on it is asked for."""
RIDGE = 1e-2
MOVED_ROWS = (20, 600)
FLATTENING = 0.25
"""A direction's variance to this power divides it: 0 leaves it as it is, 0.5 makes all equal."""


@torch.inference_mode()
def moved(teacher: Whisper, sound: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    """Return the layer less its positions, [rows, WIDTH], as if `sound` [time] began at a row."""
    x = teacher.front(torch.from_numpy(sound))
    place = positions(rows + x.shape[1])[rows:]
    x = x + place
    for layer in teacher.layers:
        x = layer(x)
    less: NDArray[np.float32] = (x[0] - place).numpy()
    return less


def content_directions(here: Array, there: Array) -> Array:
    """Return the directions in which features agree, [width, directions], as columns.

    `here` and `there` [rows, width] are features of the same sound at two places, of zero mean.
    Projected on them, features have a mean variance of 1. They solve the generalised eigenproblem
    of what both places share against what each has (Hotelling's canonical correlations, tied).
    """
    own = (here.T @ here + there.T @ there) / (2 * len(here))
    shared = (here.T @ there + there.T @ here) / (2 * len(here))
    root = np.linalg.cholesky(own + RIDGE * np.eye(len(own)))
    inverse = np.linalg.inv(root)
    agreement, vectors = np.linalg.eigh(inverse @ shared @ inverse.T)
    kept = inverse.T @ vectors[:, agreement >= LEAST_AGREEMENT]
    basis, _ = np.linalg.qr(kept)
    variance, turned = np.linalg.eigh(basis.T @ own @ basis)
    scaled = basis @ turned / variance**FLATTENING
    return np.asarray(scaled / np.sqrt(np.mean(variance ** (1 - 2 * FLATTENING))))


def fit_content(
    teacher: Whisper,
    clips: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]],
    spread: NDArray[np.float32],
) -> Tensor:
    """Return those directions [width, directions] for features in units of `spread` [width].

    `clips` are sounds [time] with the layer [rows, width] that was heard of each at its beginning.
    """
    random = np.random.default_rng(4)
    pairs = []
    for sound, layer in clips:
        elsewhere = moved(teacher, sound, int(random.integers(*MOVED_ROWS)))
        rows = min(len(layer), len(elsewhere))
        pairs.append((layer[:rows], elsewhere[:rows]))
    here, there = (
        np.concatenate(side).astype(np.float64) / spread for side in zip(*pairs, strict=True)
    )
    directions = content_directions(here - here.mean(0), there - there.mean(0))
    return torch.from_numpy(directions).float()
