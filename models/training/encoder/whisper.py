"""The teacher: the encoder of OpenAI Whisper tiny.en (MIT), and the target directions of its layer.

It encodes a recording as a whole. Layout of the checkpoint: CTranslate2's names, as in the data
set's `whisper_tiny_en`.

Whisper's third layer depends on a hop's absolute position, sinusoids aside: moved by some
seconds, the same sound gives features that share a fifth of their variance. But the two do not
mix: in about 250 of the 384 directions features of one sound agree wherever it stands (r 0.75 to
1), and the place fills the others, which hold most of the variance. A causal encoder cannot know
the place; as a target it would be noise. So only the directions that agree are targets.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cstalk_bridge.models.encoder.network import WhisperMel
from cstalk_bridge.models.features import FRAME_SAMPLES, STEP_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[np.float64]


WIDTH, HEADS, INNER = 384, 6, 1536
TEACHER_LAYERS = 3
"""Number of layers; the last one is the target: it is the most informative about mouths."""
LONGEST_S = 30.0
"""Whisper was trained on recordings of this length; positions beyond it are undefined."""
LAYER_NAMES = {
    "attention_norm.weight": "self_attention.layer_norm.gamma",
    "attention_norm.bias": "self_attention.layer_norm.beta",
    "projection.weight": "self_attention.linear_0.weight",
    "projection.bias": "self_attention.linear_0.bias",
    "mix.weight": "self_attention.linear_1.weight",
    "mix.bias": "self_attention.linear_1.bias",
    "inner_norm.weight": "ffn.layer_norm.gamma",
    "inner_norm.bias": "ffn.layer_norm.beta",
    "inner.weight": "ffn.linear_0.weight",
    "inner.bias": "ffn.linear_0.bias",
    "outer.weight": "ffn.linear_1.weight",
    "outer.bias": "ffn.linear_1.bias",
}
"""The checkpoint's name of each tensor of a layer, behind `layer_<number>.`."""


def positions(rows: int, width: int = WIDTH) -> Tensor:
    """Return Whisper's sinusoids, [rows, width]."""
    half = width // 2
    slowing = torch.exp(-math.log(10000) / (half - 1) * torch.arange(half))
    angle = torch.arange(rows)[:, None] * slowing
    return torch.cat((angle.sin(), angle.cos()), 1)


def whole_mel(mel: WhisperMel, samples: Tensor) -> Tensor:
    """Return Whisper's input [1, bands, columns] of a recording [time]; its peak sets a floor."""
    edge = FRAME_SAMPLES // 2
    padded = functional.pad(samples[None], (edge, edge), mode="reflect")
    columns = mel.decades(padded)[:, : len(samples) // STEP_SAMPLES]
    levelled = (columns.clamp(min=columns.max().item() - 8.0) + 4.0) / 4.0
    return levelled.transpose(1, 2)


class Attention(nn.Module):
    """One pre-norm layer over the whole recording."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm, self.inner_norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.projection, self.mix = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.inner, self.outer = nn.Linear(WIDTH, INNER), nn.Linear(INNER, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` [batch, rows, WIDTH] after the layer."""
        projected = self.projection(self.attention_norm(x)).chunk(3, -1)
        query, key, value = (p.unflatten(-1, (HEADS, -1)).transpose(1, 2) for p in projected)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.mix(mixed.transpose(1, 2).flatten(2))
        added: Tensor = self.outer(functional.gelu(self.inner(self.inner_norm(x))))
        return x + added


class Whisper(nn.Module):
    """The encoder up to a layer; `read` fills it from a checkpoint."""

    def __init__(self, layers: int = TEACHER_LAYERS) -> None:
        super().__init__()
        self.mel = WhisperMel()
        self.conv1 = nn.Conv1d(80, WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.layers = nn.ModuleList(Attention() for _ in range(layers))

    def front(self, samples: Tensor) -> Tensor:
        """Return the convolutions' rows [1, rows, WIDTH] of a recording [time]."""
        x = functional.gelu(self.conv1(whole_mel(self.mel, samples)))
        rows: Tensor = functional.gelu(self.conv2(x)).transpose(1, 2)
        return rows

    def forward(self, samples: Tensor) -> list[Tensor]:
        """Return the input of the layers and the output of each, [rows, WIDTH], positions included.

        `samples` is a recording [time] of up to `LONGEST_S` at 16 kHz; row i stands for 20 ms * i.
        """
        x = self.front(samples)
        x = x + positions(x.shape[1])
        outputs = [x[0]]
        for layer in self.layers:
            x = layer(x)
            outputs.append(x[0])
        return outputs


def layer_state(checkpoint: Any, number: int) -> dict[str, Tensor]:
    """Return the tensors of one layer under our names."""
    return {
        ours: torch.from_numpy(checkpoint[f"layer_{number}.{theirs}"].astype(np.float32))
        for ours, theirs in LAYER_NAMES.items()
    }


def front_state(checkpoint: Any) -> dict[str, Tensor]:
    """Return the tensors of the two convolutions."""
    names = [f"{conv}.{kind}" for conv in ("conv1", "conv2") for kind in ("weight", "bias")]
    return {name: torch.from_numpy(checkpoint[name].astype(np.float32)) for name in names}


def read(path: Path, layers: int = TEACHER_LAYERS) -> Whisper:
    """Return the teacher of a checkpoint, ready to encode."""
    checkpoint = np.load(path)
    teacher = Whisper(layers)
    state = front_state(checkpoint)
    for number in range(layers):
        own = layer_state(checkpoint, number)
        state |= {f"layers.{number}.{name}": tensor for name, tensor in own.items()}
    teacher.load_state_dict(state)
    return teacher.eval().requires_grad_(requires_grad=False)


LEAST_AGREEMENT = 0.6
"""Correlation of a direction with itself elsewhere, from which on it is a target."""
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

    `clips` are sounds [time] with the layer [rows, width] computed with each at its beginning.
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
