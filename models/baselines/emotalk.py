"""A network after EmoTalk (arXiv 2303.11089): what is said and how it is felt, heard apart.

As there: one encoder for content and one for emotion, joined with the style (here emotion and
delay), then a transformer whose rows look back at themselves and, by cross attention, at the
emotion that was heard, then the face. Unlike there: causal convolutional ears for two wav2vec 2.0
encoders, no cross-reconstruction of paired recordings (the data has no pairs of one sentence in
several emotions), `memory_rows` of attention instead of the whole clip, and distance as the only
position, so that a face depends on nothing but its window of sound.

It hears nothing after its hop; it can stream by running its whole window for each hop, but the
bridge's streams do not carry it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.baselines.parts import (
    Attention,
    AttentiveSizes,
    Condition,
    Ear,
    check_rows,
    ear_reach_hops,
    feed_forward,
    nearness,
)
from models.face_network import FaceNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class EmoTalkSizes(AttentiveSizes):
    """Its sizes; `ear_dilations` are those of the ear for content."""

    content_width: int = 176
    emotion_width: int = 96
    emotion_dilations: tuple[int, ...] = (1, 2, 4, 8)
    condition_width: int = 64
    wider: int = 2
    memory_rows: int = 40

    def __post_init__(self) -> None:
        check_rows(memory_rows=self.memory_rows)

    @property
    def window_hops(self) -> int:
        """Hops that an output hears, through its ears and all layers of attention."""
        reach = max(map(ear_reach_hops, (self.ear_dilations, self.emotion_dilations)))
        return 1 + reach + self.layers * (self.memory_rows - 1)


class Layer(nn.Module):
    """One decoder layer: the rows before, the emotion heard, feed forward; norms before each."""

    def __init__(self, sizes: EmoTalkSizes) -> None:
        super().__init__()
        width = sizes.width
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.past = Attention(width, sizes.heads)
        self.feel = Attention(width, sizes.heads)
        self.face = feed_forward(width, sizes.wider)

    def forward(self, x: Tensor, felt: Tensor, bias: Tensor) -> Tensor:
        """Return `[batch, rows, width]` for the same; `felt` is `[batch, rows, width]`."""
        past, feel, face = self.norms
        normed = past(x)
        x = x + self.past(normed, self.past.remember(normed), bias)
        x = x + self.feel(feel(x), self.feel.remember(felt), bias)
        y: Tensor = x + self.face(face(x))
        return y


class EmoTalkLike(FaceNetwork):
    """Sound to faces, by content and emotion."""

    def __init__(
        self, sizes: EmoTalkSizes, minimum: Sequence[float], maximum: Sequence[float]
    ) -> None:
        super().__init__(sizes, minimum, maximum)
        self.sizes = sizes
        self.content = Ear(sizes.content_width, sizes.ear_dilations)
        self.emotion = Ear(sizes.emotion_width, sizes.emotion_dilations)
        self.phone_head = nn.Linear(sizes.content_width, sizes.phones)
        self.condition = Condition(sizes, sizes.condition_width)
        joined = sizes.content_width + sizes.emotion_width + sizes.condition_width
        self.join = nn.Linear(joined, sizes.width)
        self.felt = nn.Linear(sizes.emotion_width, sizes.width)
        self.layers = nn.ModuleList(Layer(sizes) for _ in range(sizes.layers))
        self.norm = nn.LayerNorm(sizes.width)
        self.head = nn.Linear(sizes.width, sizes.channels)
        self.register_buffer("near", nearness(sizes.heads, 1, sizes.memory_rows), persistent=False)
        self.near: Tensor

    def forward(
        self, samples: Tensor, emotion: Tensor, delay_hops: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return channels and phone logits, as `FaceNetwork.forward`."""
        said, felt = self.content(samples), self.emotion(samples)
        rows = min(said.shape[1], felt.shape[1])
        said, felt = said[:, -rows:], felt[:, -rows:]
        asked = self.condition(emotion, delay_hops, rows)
        x = self.join(torch.cat((said, felt, asked), -1))
        felt, bias = self.felt(felt), self._bias(rows)
        for layer in self.layers:
            x = layer(x, felt, bias)
        whole = x[:, self.sizes.layers * (self.sizes.memory_rows - 1) :]
        return self.head(self.norm(whole)).transpose(1, 2), self.phone_head(said).transpose(1, 2)

    def _bias(self, rows: int) -> Tensor:
        """Return how much each row loses by distance, `[heads, rows, rows]`; -inf out of sight."""
        places = torch.arange(rows, device=self.near.device)
        distance = places[:, None] - places
        hidden = (distance < 0) | (distance >= self.sizes.memory_rows)
        bias = self.near[:, distance.clamp(0, self.sizes.memory_rows - 1)]
        return bias.masked_fill(hidden, -torch.inf)
