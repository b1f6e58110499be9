"""The network that tells, for each hop, how far a voice speaks for each emotion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.architecture import KERNEL
from models.emotions import EMOTIONS
from models.mel import BANDS
from models.mood.features import HISTORY_SAMPLES, MOTIONS, PITCH, TRAITS, VoiceFeatures
from models.mood.usual import Usual
from models.network import Block, CausalConv
from models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from models.network import Caches

INPUTS = BANDS + TRAITS + MOTIONS
PITCH_GAIN = 3.0
"""A difference of a third of an octave is 1 to the network."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes that a weights file must name to be rebuilt."""

    width: int = 48
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16)

    @property
    def past_hops(self) -> int:
        """Hops before its own that an output hears."""
        return (KERNEL - 1) * (1 + sum(self.dilations))


class MoodNetwork(nn.Module):
    """Sound to evidence: a causal convolution network over the last 1.3 s."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.features = VoiceFeatures()
        self.register_buffer("average", torch.zeros(TRAITS))
        self.average: Tensor
        self.stem = CausalConv(INPUTS, sizes.width)
        self.blocks = nn.ModuleList(Block(sizes.width, dilation) for dilation in sizes.dilations)
        self.head = nn.Conv1d(sizes.width, len(EMOTIONS), 1)

    def forward(
        self, samples: Tensor, usual: Usual, caches: Caches | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return evidence `[batch, emotions, m]` and voicing 0..1 `[batch, m]`.

        `samples` is `[batch, HISTORY_SAMPLES + n * HOP_SAMPLES]`; without caches
        m = n - past_hops, with caches (from `silent_caches`) m = n. `usual` and `caches` are
        brought up to date. Evidence is the logarithm of odds, up to one number common to all
        emotions of a hop.
        """
        traits, motions, voicing = self.features(samples)
        differences = usual.hear(traits, voicing, self.average)
        evidence = self.judge(inputs_of(traits, differences, motions, voicing), caches)
        return evidence, voicing[:, -evidence.shape[-1] :]

    def judge(self, inputs: Tensor, caches: Caches | None = None) -> Tensor:
        """Return the evidence of inputs `[batch, INPUTS, n]`."""
        x = self.stem(inputs, caches)
        for block in self.blocks:
            x = block(x, caches)
        evidence: Tensor = self.head(x)
        return evidence

    def silent_caches(self) -> Caches:
        """Return the caches that endless digital silence leaves behind, for one voice."""
        silence = self.stem.conv.weight.new_zeros(1, HISTORY_SAMPLES + HOP_SAMPLES)
        traits, motions, voicing = self.features(silence)
        differences = Usual.unknown(1).hear(traits, voicing, self.average)
        x = inputs_of(traits, differences, motions, voicing)
        caches: Caches = []
        for layer in (self.stem, *self.blocks):
            conv, seen = (layer.conv, layer.normed(x)) if isinstance(layer, Block) else (layer, x)
            caches.append(seen.repeat(1, 1, conv.reach))
            x = layer(x.repeat(1, 1, 1 + conv.reach))
        return caches


def inputs_of(traits: Tensor, differences: Tensor, motions: Tensor, voicing: Tensor) -> Tensor:
    """Return what the network hears, `[batch, INPUTS, n]`; the level itself is not in it."""
    timbre = traits[:, :BANDS]
    pitch = PITCH_GAIN * differences[:, PITCH:] * voicing[:, None]
    return torch.cat((timbre, differences[:, :PITCH], pitch, motions), 1)
