"""What the baselines share: sizes, ears, what is asked of a face, attention to what is near."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.architecture import KERNEL, Architecture
from models.features import LogMel
from models.mel import FEATURES
from models.network import Block, CausalConv

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.face_network import Sizes


OURS = Architecture()
"""What is not a matter of design is as in our generator, so that designs can be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentiveSizes:
    """The sizes of any network that decodes by attention; a kind of them adds its own."""

    width: int = OURS.width
    heads: int = 4
    layers: int = 2
    ear_dilations: tuple[int, ...] = OURS.encoder_dilations
    phones: int = OURS.phones
    emotions: int = OURS.emotions
    delays: int = OURS.delays
    channels: int = OURS.channels


def ear_reach_hops(dilations: Sequence[int]) -> int:
    """Return how many hops before its own an output of an `Ear` hears."""
    return (KERNEL - 1) * (1 + sum(dilations))


MOST_ROWS = 500


def check_rows(**rows: int) -> None:
    """Raise ValueError for sizes in rows, by name, that are not from 1 to `MOST_ROWS`."""
    for name, count in rows.items():
        if not 1 <= count <= MOST_ROWS:
            raise ValueError(f"{name} is {count}, not from 1 to {MOST_ROWS}")


class Ear(nn.Module):
    """The generator's causal encoder at any width: log-mel, then dilated convolutions."""

    def __init__(self, width: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.log_mel = LogMel()
        self.stem = CausalConv(FEATURES, width)
        self.blocks = nn.ModuleList(Block(width, dilation) for dilation in dilations)

    def forward(self, samples: Tensor) -> Tensor:
        """Return `[batch, hops - ear_reach_hops, width]`."""
        x: Tensor = self.stem(self.log_mel(samples))
        for block in self.blocks:
            x = block(x)
        return x.transpose(1, 2)


class Condition(nn.Module):
    """Emotion and delay as one vector for each hop."""

    def __init__(self, sizes: Sizes, width: int) -> None:
        super().__init__()
        self.emotion = nn.Linear(sizes.emotions, width, bias=False)
        self.delay = nn.Embedding(sizes.delays, width)
        self.mix = nn.Linear(width, width)

    def forward(self, emotion: Tensor, delay_hops: Tensor, hops: int) -> Tensor:
        """Return `[batch, hops, width]` for the last `hops` of `FaceNetwork.forward`'s inputs."""
        weights = emotion[..., None] if emotion.dim() == 2 else emotion[..., -hops:]
        felt = self.emotion(weights.transpose(1, 2)) + self.delay(delay_hops)[:, None]
        mixed: Tensor = self.mix(functional.gelu(felt))
        return mixed.expand(-1, hops, -1)


def nearness(heads: int, period_rows: int, rows: int) -> Tensor:
    """Return what attention to each distance in rows loses, `[heads, rows]`, 0 or less.

    Each head has its own slope, 2^(-8 i / heads) for heads i = 1, 2 .. (ALiBi, arXiv 2108.12409);
    it takes a step for every `period_rows`, as in FaceFormer (arXiv 2112.05329).
    """
    slopes = torch.pow(2.0, -8.0 * torch.arange(1, heads + 1) / heads)
    return -slopes[:, None] * (torch.arange(rows) // period_rows)


class Attention(nn.Module):
    """Multi-head attention; the caller says which rows may be seen, and how much they lose."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads do not divide a width of {width}")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def remember(self, x: Tensor) -> Tensor:
        """Return keys and values of rows `[batch, time, width]`, `[batch, 2 heads, time, w]`."""
        kept: Tensor = self.key_value(x).unflatten(-1, (2 * self.heads, -1)).transpose(1, 2)
        return kept

    def forward(self, x: Tensor, kept: Tensor, bias: Tensor) -> Tensor:
        """Return what rows `[batch, n, width]` find in `kept`; `bias` is `[heads, n, time]`."""
        query = self.query(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        keys, values = kept.chunk(2, 1)
        found = functional.scaled_dot_product_attention(query, keys, values, attn_mask=bias)
        y: Tensor = self.out(found.transpose(1, 2).flatten(2))
        return y


def feed_forward(width: int, times: int) -> nn.Sequential:
    """Return two linear layers on each row, `times` as wide between them."""
    return nn.Sequential(
        nn.Linear(width, times * width), nn.GELU(), nn.Linear(times * width, width)
    )
