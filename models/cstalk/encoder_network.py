"""The CSTalk generator on the speech encoder, as a network that can stream.

    sound -> speech encoder (causal) -> causal TCN decoder (emotion, delay) -> channels

The decoder is that of `models.cstalk.network`; the encoder is `cstalk_bridge.models.encoder`, which
uses as much future as the look-ahead allows (`ENCODER_DELAYS`). As there, the delay is an input,
layers do not pad, and windows, whole recordings and cached hops compute the same sums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from cstalk_bridge.models.cstalk.encoder_architecture import (
    ENCODER_DELAYS,
    ENCODER_HISTORY_SAMPLES,
    EncoderArchitecture,
)
from cstalk_bridge.models.cstalk.network import Block, Caches, CausalConv, FilmNetwork
from cstalk_bridge.models.encoder.mixed_delays import next_rows, silent_caches, window_rows
from cstalk_bridge.models.encoder.network import Encoder, EncoderSizes
from cstalk_bridge.models.encoder.reach import delay_hops
from cstalk_bridge.models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence


PHONE_DELAY = 1
"""The encoder's delay, an index of its `RIGHT_HOPS`, at which its phones are predicted."""


class EncoderGenerator(FilmNetwork):
    """Sound, emotion and delay to rows of face channels."""

    architecture: EncoderArchitecture
    history_samples: ClassVar[int] = ENCODER_HISTORY_SAMPLES
    phone_delay_hops: ClassVar[int] = delay_hops(PHONE_DELAY)

    def __init__(
        self,
        architecture: EncoderArchitecture,
        minimum: Sequence[float],
        maximum: Sequence[float],
    ) -> None:
        super().__init__(architecture, minimum, maximum)
        a = architecture
        self.ear = Encoder(EncoderSizes(a.ear_width, a.ear_heads, a.ear_inner, a.ear_layers))
        self.phone_head = nn.Linear(a.ear_width, a.phones)
        self.stem = CausalConv(a.ear_width, a.width)
        self.emotion = nn.Linear(a.emotions, a.condition_width // 2, bias=False)
        self.delay = nn.Embedding(a.delays, a.condition_width // 2)
        self.condition = nn.Linear(a.condition_width, a.condition_width)
        self.films = nn.Linear(a.condition_width, 2 * a.width * len(a.decoder_dilations))
        self.decoder = nn.ModuleList(Block(a.width, dilation) for dilation in a.decoder_dilations)
        self.head = nn.Conv1d(a.width, a.channels, 1)
        self.register_buffer("encoder_delays", torch.tensor(ENCODER_DELAYS), persistent=False)
        self.encoder_delays: Tensor

    def forward(
        self, samples: Tensor, emotion: Tensor, delay_hops: Tensor, caches: Caches | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return channels `[batch, channels, n]` and phone logits `[batch, phones, n]`.

        `samples` is `[batch, ENCODER_HISTORY_SAMPLES + hops * HOP_SAMPLES]`, `emotion` weights
        `[batch, emotions]` or, hop by hop, `[batch, emotions, hops]`, `delay_hops` integers
        `[batch]`. Without caches n = hops - window_hops + 1; with caches (from `silent_caches`,
        changed in place) n = hops. The channels are not yet clamped. The phone logits are
        computed from the encoder's rows at the batch's own delays, at the time of those rows.
        """
        delays = self.encoder_delays[delay_hops]
        if caches is not None:
            rows = next_rows(self.ear, samples, delays, caches)
        else:
            rows = window_rows(self.ear, samples, delays)
            rows = rows[:, rows.shape[1] - self._decoded(samples) :]
        channels = self.decode(rows.transpose(1, 2), emotion, delay_hops, caches)
        phones: Tensor = self.phone_head(rows[:, -channels.shape[-1] :]).transpose(1, 2)
        return channels, phones

    def decode(
        self, rows: Tensor, emotion: Tensor, delay_hops: Tensor, caches: Caches | None = None
    ) -> Tensor:
        """Return channels `[batch, channels, n]` of the encoder's rows `[batch, ear_width, time]`.

        The last row is that of the last hop. Without caches n = time - past_hops - 2.
        """
        x = self.stem(rows, caches)
        for block, film in zip(self._blocks, self._films(emotion, delay_hops), strict=True):
            x = block(x, caches, film)
        channels: Tensor = self.head(functional.gelu(x))
        return channels

    def silent_caches(self, emotion: Tensor, delay_hops: Tensor) -> Caches:
        """Return the caches that endless digital silence leaves behind, for `forward`'s inputs."""
        delays = self.encoder_delays[delay_hops]
        caches = silent_caches(self.ear, delays)
        hop = self.stem.conv.weight.new_zeros(len(delays), ENCODER_HISTORY_SAMPLES + HOP_SAMPLES)
        row = next_rows(self.ear, hop, delays, list(caches)).transpose(1, 2)
        caches.append(row.repeat(1, 1, self.stem.reach))
        x = self.stem(row.repeat(1, 1, 1 + self.stem.reach))
        films = self._films(emotion, delay_hops)
        for block, film in zip(self._blocks, films, strict=True):
            caches.append(block.normed(x).repeat(1, 1, block.conv.reach))
            x = block(x.repeat(1, 1, 1 + block.conv.reach), None, film)
        return caches

    @property
    def _blocks(self) -> list[Block]:
        return cast("list[Block]", list(self.decoder))

    def _decoded(self, samples: Tensor) -> int:
        """Return how many of the encoder's rows, all of them whole, the decoder is to take."""
        hops = (samples.shape[-1] - ENCODER_HISTORY_SAMPLES) // HOP_SAMPLES
        a = self.architecture
        return hops - a.window_hops + 1 + self.stem.reach + a.past_hops
