"""A network after FaceFormer (arXiv 2112.05329): a transformer that continues its own faces.

As there: each face is made from the faces before it, a periodic positional encoding and a style
(here emotion and delay), by causal self-attention with steps of a period as its bias, and by cross
attention in which a row sees only the sound of its own time; training runs free, never on true
faces. Unlike there: a causal convolutional ear for wav2vec 2.0, `memory_rows` instead of all the
past, norms before the layers, and the face fed back is within the board's ranges.

It hears nothing after its hop and could stream, but what it says depends on all its faces since
the start, which no window of sound can give; the bridge's streams do not carry it.
"""

from __future__ import annotations

import math
from collections import deque
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
class FaceFormerSizes(AttentiveSizes):
    """Its sizes; `run_in_rows` are made, and dropped, before the first row that is returned."""

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
        """Hops that the first output hears; later ones also follow the faces before them."""
        return 1 + ear_reach_hops(self.ear_dilations) + self.run_in_rows


def periodic_positions(width: int, period_rows: int) -> Tensor:
    """Return sines and cosines of the place in the period, `[period, width]`."""
    places = torch.arange(period_rows)[:, None]
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    return torch.stack((torch.sin(places * rates), torch.cos(places * rates)), -1).flatten(1)


class Layer(nn.Module):
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

    def forward(self, x: Tensor, heard: Tensor, kept: deque[Tensor], bias: Tensor) -> Tensor:
        """Return the next `x` `[batch, 1, width]`; `heard` is `x`'s sound.

        `kept` are the keys and values of the rows before and gets those of `x`.
        """
        normed = self.norm_past(x)
        kept.append(self.past.remember(normed))
        # One piece a row: slices of a long tensor would each fill one as long in the way back.
        past = torch.cat(tuple(kept), 2)
        x = x + self.past(normed, past, bias[:, None, -len(kept) :]) + self.listen(heard)
        y: Tensor = x + self.face(self.norm_face(x))
        return y


class FaceFormerLike(FaceNetwork):
    """Sound to faces, each from those before it."""

    is_windowed = False

    def __init__(
        self, sizes: FaceFormerSizes, minimum: Sequence[float], maximum: Sequence[float]
    ) -> None:
        super().__init__(sizes, minimum, maximum)
        self.sizes = sizes
        self.ear = Ear(sizes.width, sizes.ear_dilations)
        self.phone_head = nn.Linear(sizes.width, sizes.phones)
        self.condition = Condition(sizes, sizes.width)
        self.seen = nn.Linear(sizes.channels, sizes.width)
        self.layers = nn.ModuleList(Layer(sizes) for _ in range(sizes.layers))
        self.norm = nn.LayerNorm(sizes.width)
        self.head = nn.Linear(sizes.width, sizes.channels)
        positions = periodic_positions(sizes.width, sizes.period_rows)
        bias = nearness(sizes.heads, sizes.period_rows, sizes.memory_rows).flip(1)
        self.register_buffer("positions", positions, persistent=False)
        self.register_buffer("bias", bias, persistent=False)
        self.positions: Tensor
        self.bias: Tensor

    def forward(
        self, samples: Tensor, emotion: Tensor, delay_hops: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return channels and phone logits, as `FaceNetwork.forward`."""
        heard = self.ear(samples)
        rows = heard.shape[1]
        asked = self.condition(emotion, delay_hops, rows)
        asked = asked + self.positions.repeat(-(-rows // len(self.positions)), 1)[:rows]
        faces = self._continued(heard, asked)[:, self.sizes.run_in_rows :]
        return faces.transpose(1, 2), self.phone_head(heard).transpose(1, 2)

    def _continued(self, heard: Tensor, asked: Tensor) -> Tensor:
        """Return faces `[batch, rows, channels]`, the first after a face at rest."""
        kept = [deque[Tensor](maxlen=self.sizes.memory_rows) for _ in self.layers]
        face = heard.new_zeros(len(heard), 1, self.sizes.channels)
        low, high = self.minimum.T, self.maximum.T
        faces = []
        for wanted, sound in zip(asked.unbind(1), heard.unbind(1), strict=True):
            x = self.seen(face) + wanted[:, None]
            for layer, past in zip(self.layers, kept, strict=True):
                x = layer(x, sound[:, None], past, self.bias)
            made = self.head(self.norm(x))
            faces.append(made)
            face = torch.clamp(made, low, high)
        return torch.cat(faces, 1)
