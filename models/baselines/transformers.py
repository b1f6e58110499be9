"""Networks after FaceFormer and EmoTalk, as baselines of the generator.

Both use the generator's causal convolutional encoder in place of wav2vec 2.0, and take the
look-ahead as an input like the emotion.

FaceFormer (arXiv 2112.05329) is an autoregressive transformer. As in the paper, a face is generated
from the faces before it, a periodic positional encoding and a style (here emotion and delay), by
causal self-attention whose bias steps with the period, and by cross attention in which a row
depends only on the sound of its own time; training feeds back generated faces, never real ones. Our
changes: `memory_rows` of past instead of all, pre-norm layers, and the face fed back is clamped to
the board's ranges. It is causal, but its output depends on all faces since the start, so no window
of sound reproduces it and `cstalk_bridge.models.cstalk.streaming` does not support it.

EmoTalk (arXiv 2303.11089) separates content and emotion of speech. As in the paper, one encoder for
content and one for emotion are joined with the style (here emotion and delay), followed by a
transformer with causal self-attention and cross attention to the emotion of the sound. Our changes:
no cross-reconstruction of paired recordings (the data has no sentence in several emotions),
`memory_rows` of attention instead of the whole clip, and positions by distance only, so that a face
depends on its window of sound alone. It is causal and could stream by running its whole window for
each hop, but `cstalk_bridge.models.cstalk.streaming` does not support it.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from cstalk_bridge.models.cstalk.architecture import Architecture
from cstalk_bridge.models.cstalk.network import Block, CausalConv, FaceNetwork, LogMel
from cstalk_bridge.models.features import FEATURES, KERNEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cstalk_bridge.models.cstalk.architecture import NetworkSizes


OURS = Architecture()
"""Sizes that are not part of a design are those of our generator, for comparison."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentiveSizes:
    """The sizes common to networks that decode by attention."""

    width: int = OURS.width
    heads: int = 4
    layers: int = 2
    ear_dilations: tuple[int, ...] = OURS.encoder_dilations
    phones: int = OURS.phones
    emotions: int = OURS.emotions
    delays: int = OURS.delays
    channels: int = OURS.channels


def encoder_reach_hops(dilations: Sequence[int]) -> int:
    """Return how many hops before its own an output of a `LogMelEncoder` depends on."""
    return (KERNEL - 1) * (1 + sum(dilations))


MAX_ROWS = 500


def check_rows(**rows: int) -> None:
    """Raise ValueError for sizes in rows, by name, that are not from 1 to `MAX_ROWS`."""
    for name, count in rows.items():
        if not 1 <= count <= MAX_ROWS:
            raise ValueError(f"{name} is {count}, not from 1 to {MAX_ROWS}")


class LogMelEncoder(nn.Module):
    """The generator's causal encoder at any width: log-mel, then dilated convolutions."""

    def __init__(self, width: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.log_mel = LogMel()
        self.stem = CausalConv(FEATURES, width)
        self.blocks = nn.ModuleList(Block(width, dilation) for dilation in dilations)

    def forward(self, samples: Tensor) -> Tensor:
        """Return `[batch, hops - encoder_reach_hops(dilations), width]`."""
        x: Tensor = self.stem(self.log_mel(samples))
        for block in self.blocks:
            x = block(x)
        return x.transpose(1, 2)


class Condition(nn.Module):
    """Emotion and delay as one vector for each hop."""

    def __init__(self, sizes: NetworkSizes, width: int) -> None:
        super().__init__()
        self.emotion = nn.Linear(sizes.emotions, width, bias=False)
        self.delay = nn.Embedding(sizes.delays, width)
        self.mix = nn.Linear(width, width)

    def forward(self, emotion: Tensor, delay_hops: Tensor, hops: int) -> Tensor:
        """Return `[batch, hops, width]` for the last `hops` of `FaceNetwork.forward`'s inputs."""
        weights = emotion[..., None] if emotion.dim() == 2 else emotion[..., -hops:]
        embedded = self.emotion(weights.transpose(1, 2)) + self.delay(delay_hops)[:, None]
        mixed: Tensor = self.mix(functional.gelu(embedded))
        return mixed.expand(-1, hops, -1)


def distance_bias(heads: int, period_rows: int, rows: int) -> Tensor:
    """Return the attention bias of each distance in rows, `[heads, rows]`, 0 or less.

    Each head has its own slope, 2^(-8 i / heads) for heads i = 1, 2 .. (ALiBi, arXiv 2108.12409);
    it steps every `period_rows`, as in FaceFormer (arXiv 2112.05329).
    """
    slopes = torch.pow(2.0, -8.0 * torch.arange(1, heads + 1) / heads)
    return -slopes[:, None] * (torch.arange(rows) // period_rows)


class Attention(nn.Module):
    """Multi-head attention; the caller gives the bias, -inf for hidden rows."""

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
        """Return what rows `[batch, n, width]` attend to; `bias` is `[heads, n, time]`."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceFormerSizes(AttentiveSizes):
    """Sizes; `run_in_rows` are generated and dropped before the first row that is returned."""

    wider: int = 4
    period_rows: int = 25
    memory_rows: int = 75
    run_in_rows: int = 12

    def __post_init__(self) -> None:
        check_rows(
            period_rows=self.period_rows, memory_rows=self.memory_rows, run_in_rows=self.run_in_rows
        )

    @property
    def window_hops(self) -> int:
        """Hops that the first output depends on; later ones depend on the faces before them too."""
        return 1 + encoder_reach_hops(self.ear_dilations) + self.run_in_rows


def periodic_positions(width: int, period_rows: int) -> Tensor:
    """Return sines and cosines of the position in the period, `[period, width]`."""
    places = torch.arange(period_rows)[:, None]
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    return torch.stack((torch.sin(places * rates), torch.cos(places * rates)), -1).flatten(1)


class FaceFormerLayer(nn.Module):
    """One decoder layer, row by row.

    Cross attention to a single row is that row's value, whatever the query: one linear layer.
    """

    def __init__(self, sizes: FaceFormerSizes) -> None:
        super().__init__()
        width = sizes.width
        self.norm_past, self.norm_face = nn.LayerNorm(width), nn.LayerNorm(width)
        self.past = Attention(width, sizes.heads)
        self.listen = nn.Linear(width, width)
        self.face = feed_forward(width, sizes.wider)

    def forward(self, x: Tensor, audio: Tensor, kept: deque[Tensor], bias: Tensor) -> Tensor:
        """Return the next `x` `[batch, 1, width]`; `audio` are its audio features.

        `kept` are the keys and values of the rows before and gets those of `x`.
        """
        normed = self.norm_past(x)
        kept.append(self.past.remember(normed))
        # One piece a row: slices of a long tensor would each fill one as long in the way back.
        past = torch.cat(tuple(kept), 2)
        x = x + self.past(normed, past, bias[:, None, -len(kept) :]) + self.listen(audio)
        y: Tensor = x + self.face(self.norm_face(x))
        return y


class FaceFormerLike(FaceNetwork):
    """Sound to faces, autoregressively."""

    is_windowed = False

    def __init__(
        self, sizes: FaceFormerSizes, minimum: Sequence[float], maximum: Sequence[float]
    ) -> None:
        super().__init__(sizes, minimum, maximum)
        self.sizes = sizes
        self.ear = LogMelEncoder(sizes.width, sizes.ear_dilations)
        self.phone_head = nn.Linear(sizes.width, sizes.phones)
        self.condition = Condition(sizes, sizes.width)
        self.seen = nn.Linear(sizes.channels, sizes.width)
        self.layers = nn.ModuleList(FaceFormerLayer(sizes) for _ in range(sizes.layers))
        self.norm = nn.LayerNorm(sizes.width)
        self.head = nn.Linear(sizes.width, sizes.channels)
        positions = periodic_positions(sizes.width, sizes.period_rows)
        bias = distance_bias(sizes.heads, sizes.period_rows, sizes.memory_rows).flip(1)
        self.register_buffer("positions", positions, persistent=False)
        self.register_buffer("bias", bias, persistent=False)
        self.positions: Tensor
        self.bias: Tensor

    def forward(
        self, samples: Tensor, emotion: Tensor, delay_hops: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return channels and phone logits, as `FaceNetwork.forward`."""
        audio = self.ear(samples)
        rows = audio.shape[1]
        conditions = self.condition(emotion, delay_hops, rows)
        conditions = conditions + self.positions.repeat(-(-rows // len(self.positions)), 1)[:rows]
        faces = self._continued(audio, conditions)[:, self.sizes.run_in_rows :]
        return faces.transpose(1, 2), self.phone_head(audio).transpose(1, 2)

    def _continued(self, audio: Tensor, conditions: Tensor) -> Tensor:
        """Return faces `[batch, rows, channels]`, the first after a face at rest."""
        kept = [deque[Tensor](maxlen=self.sizes.memory_rows) for _ in self.layers]
        face = audio.new_zeros(len(audio), 1, self.sizes.channels)
        low, high = self.minimum.T, self.maximum.T
        faces = []
        for condition, row in zip(conditions.unbind(1), audio.unbind(1), strict=True):
            x = self.seen(face) + condition[:, None]
            for layer, past in zip(self.layers, kept, strict=True):
                x = layer(x, row[:, None], past, self.bias)
            made = self.head(self.norm(x))
            faces.append(made)
            face = torch.clamp(made, low, high)
        return torch.cat(faces, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmoTalkSizes(AttentiveSizes):
    """Sizes; `ear_dilations` are those of the content encoder."""

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
        """Hops that an output depends on, through its encoders and all layers of attention."""
        reach = max(map(encoder_reach_hops, (self.ear_dilations, self.emotion_dilations)))
        return 1 + reach + self.layers * (self.memory_rows - 1)


class EmoTalkLayer(nn.Module):
    """One pre-norm decoder layer: past rows, emotion of the voice, feed forward."""

    def __init__(self, sizes: EmoTalkSizes) -> None:
        super().__init__()
        width = sizes.width
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.past = Attention(width, sizes.heads)
        self.feel = Attention(width, sizes.heads)
        self.face = feed_forward(width, sizes.wider)

    def forward(self, x: Tensor, emotion: Tensor, bias: Tensor) -> Tensor:
        """Return `[batch, rows, width]`; `x` and `emotion` have the same shape."""
        past, feel, face = self.norms
        normed = past(x)
        x = x + self.past(normed, self.past.remember(normed), bias)
        x = x + self.feel(feel(x), self.feel.remember(emotion), bias)
        y: Tensor = x + self.face(face(x))
        return y


class EmoTalkLike(FaceNetwork):
    """Sound to faces, by content and emotion."""

    def __init__(
        self, sizes: EmoTalkSizes, minimum: Sequence[float], maximum: Sequence[float]
    ) -> None:
        super().__init__(sizes, minimum, maximum)
        self.sizes = sizes
        self.content = LogMelEncoder(sizes.content_width, sizes.ear_dilations)
        self.emotion = LogMelEncoder(sizes.emotion_width, sizes.emotion_dilations)
        self.phone_head = nn.Linear(sizes.content_width, sizes.phones)
        self.condition = Condition(sizes, sizes.condition_width)
        joined = sizes.content_width + sizes.emotion_width + sizes.condition_width
        self.join = nn.Linear(joined, sizes.width)
        self.felt = nn.Linear(sizes.emotion_width, sizes.width)
        self.layers = nn.ModuleList(EmoTalkLayer(sizes) for _ in range(sizes.layers))
        self.norm = nn.LayerNorm(sizes.width)
        self.head = nn.Linear(sizes.width, sizes.channels)
        self.register_buffer(
            "near", distance_bias(sizes.heads, 1, sizes.memory_rows), persistent=False
        )
        self.near: Tensor

    def forward(
        self, samples: Tensor, emotion: Tensor, delay_hops: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return channels and phone logits, as `FaceNetwork.forward`."""
        content, voice = self.content(samples), self.emotion(samples)
        rows = min(content.shape[1], voice.shape[1])
        content, voice = content[:, -rows:], voice[:, -rows:]
        conditions = self.condition(emotion, delay_hops, rows)
        x = self.join(torch.cat((content, voice, conditions), -1))
        voice, bias = self.felt(voice), self._bias(rows)
        for layer in self.layers:
            x = layer(x, voice, bias)
        whole = x[:, self.sizes.layers * (self.sizes.memory_rows - 1) :]
        return self.head(self.norm(whole)).transpose(1, 2), self.phone_head(content).transpose(1, 2)

    def _bias(self, rows: int) -> Tensor:
        """Return the attention bias by distance, `[heads, rows, rows]`; -inf for hidden rows."""
        places = torch.arange(rows, device=self.near.device)
        distance = places[:, None] - places
        hidden = (distance < 0) | (distance >= self.sizes.memory_rows)
        bias = self.near[:, distance.clamp(0, self.sizes.memory_rows - 1)]
        return bias.masked_fill(hidden, -torch.inf)
