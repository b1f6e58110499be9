"""The face networks in torch, which can stream: on log-mel features and on the speech encoder.

    sound -> log-mel -> causal encoder (phones) -> causal TCN decoder (emotion, delay) -> channels
    sound -> speech encoder (causal)            -> causal TCN decoder (emotion, delay) -> channels

Every layer is causal; the receptive field is `Architecture.window_hops`. At hop t the network
emits the face of hop t - d, where the delay d (the look-ahead) is an input like the emotion: one
set of weights serves every look-ahead. The layers do not pad: the caller provides the past, as
samples (offline, sliding window) or as the caches that an earlier call returned (streaming). All
three compute the same values.

After CSTalk (arXiv 2404.18604): a TCN decoder with the emotion fused into every layer, whose
receptive field sets how far a frame reaches back. A causal encoder replaces its wav2vec 2.0: that
of `CSTalkNetwork` is trained with the decoder; that of `EncoderGenerator` is
`cstalk_bridge.models.encoder`, which uses as much future as the look-ahead allows
(`ENCODER_DELAYS`).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from cstalk_bridge.models.cstalk.architecture import (
    ENCODER_DELAYS,
    NORM_FLOOR,
    Architecture,
    EncoderArchitecture,
    NetworkSizes,
)
from cstalk_bridge.models.encoder.network import (
    Encoder,
    EncoderSizes,
    next_rows,
    silent_caches,
    window_rows,
)
from cstalk_bridge.models.features import (
    ENCODER_HISTORY_SAMPLES,
    FEATURES,
    FFT_SAMPLES,
    FLOOR,
    FRAME_SAMPLES,
    HISTORY_SAMPLES,
    KERNEL,
    LOUDEST,
    MEAN,
    SPREAD,
    STEP_SAMPLES,
    delay_hops,
    mel_filters,
    window,
)
from cstalk_bridge.models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


PHONE_DELAY_HOPS = 3
"""An encoder predicts the phone of 60 ms ago: few phones can be recognised at their onset."""


class FaceNetwork(nn.Module):
    """Sound, emotion and delay to rows of face channels."""

    history_samples: ClassVar[int] = HISTORY_SAMPLES
    """Samples that the network receives before its first hop."""
    phone_delay_hops: ClassVar[int] = PHONE_DELAY_HOPS
    """Hops after its own at which a phone is predicted, where the look-ahead is that long."""
    is_windowed: ClassVar[bool] = True
    """Whether an output depends on nothing but its window: then sound may come in pieces."""
    architecture: NetworkSizes
    minimum: Tensor
    maximum: Tensor

    def __init__(
        self, architecture: NetworkSizes, minimum: Sequence[float], maximum: Sequence[float]
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.register_buffer("minimum", torch.tensor(minimum)[:, None], persistent=False)
        self.register_buffer("maximum", torch.tensor(maximum)[:, None], persistent=False)

    @abstractmethod
    def forward(
        self, samples: Tensor, emotion: Tensor, delay_hops: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return channels `[batch, channels, n]` and phone logits `[batch, phones, m]`, m >= n.

        `samples` is `[batch, history_samples + hops * HOP_SAMPLES]`, `emotion` weights
        `[batch, emotions]` or, hop by hop, `[batch, emotions, hops]`, `delay_hops` integers
        `[batch]`; n = hops - window_hops + 1. What follows hop t is the face of the time at which
        that hop ends, less the delay. The channels are not yet clamped. A network that predicts no
        phones returns None for them.
        """

    def clamp(self, channels: Tensor) -> Tensor:
        """Return `channels` `[batch, channels, time]` within the board's ranges."""
        return torch.clamp(channels, self.minimum, self.maximum)


class LogMel(nn.Module):
    """Mono 16 kHz sound to log-mel features, without padding.

    `[batch, HISTORY_SAMPLES + n * HOP_SAMPLES]` samples in -1..1 become `[batch, FEATURES, n]`:
    column k depends on nothing after sample `HISTORY_SAMPLES + (k + 1) * HOP_SAMPLES`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.tensor(window()), persistent=False)
        filters = torch.tensor(mel_filters()).T.contiguous()
        self.register_buffer("filters", filters, persistent=False)
        self.window: Tensor
        self.filters: Tensor

    def forward(self, samples: Tensor) -> Tensor:
        """Return the features of `samples`, in float32 also under autocast."""
        bounded = samples.clamp(-LOUDEST, LOUDEST)
        frames = bounded.unfold(-1, FRAME_SAMPLES, STEP_SAMPLES) * self.window
        spectrum = torch.fft.rfft(frames, FFT_SAMPLES)
        power = spectrum.real.square() + spectrum.imag.square()
        with torch.autocast(samples.device.type, enabled=False):
            mel = ((power @ self.filters).add(FLOOR).log() - MEAN) / SPREAD
        pairs = mel.unflatten(1, (-1, HOP_SAMPLES // STEP_SAMPLES)).flatten(2)
        features: Tensor = pairs.transpose(1, 2)
        return features


Caches = list[Tensor]


class CausalConv(nn.Module):
    """A dilated convolution over the past, without padding."""

    def __init__(self, inputs: int, outputs: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, KERNEL, dilation=dilation)
        self.reach = (KERNEL - 1) * dilation

    def forward(self, x: Tensor, caches: Caches | None = None) -> Tensor:
        """Return the outputs for `x` `[batch, inputs, time]`.

        With `caches`, its first entry (the last `reach` inputs of the call before) precedes `x`
        and comes back, renewed, at the end of the list: a network that runs all its layers in
        order leaves the list in order.
        """
        if caches is not None:
            x = torch.cat((caches.pop(0), x), -1)
            caches.append(x[..., -self.reach :])
        if x.shape[-1] == self.reach + 1:
            # For one output a product is far faster on a CPU than a dilated convolution.
            taps = x[..., :: self.conv.dilation[0]].flatten(1)
            return functional.linear(taps, self.conv.weight.flatten(1), self.conv.bias)[..., None]
        y: Tensor = self.conv(x)
        return y


class Block(nn.Module):
    """A residual block: norm, causal convolution, its modulation (FiLM), a mix across channels.

    The norm looks across the channels of one hop only, so it costs no causality.
    """

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width, 1))
        self.conv = CausalConv(width, width, dilation)
        self.mix = nn.Conv1d(width, width, 1)

    def forward(
        self, x: Tensor, caches: Caches | None = None, film: Tensor | None = None
    ) -> Tensor:
        """Return `[batch, width, time]`.

        `film` is scale then shift, `[batch, 2 * width, 1]` or one for each of the last inputs.
        """
        y: Tensor = self.conv(self.normed(x), caches)
        if film is not None:
            scale, shift = film[..., -y.shape[-1] :].chunk(2, 1)
            y = torch.addcmul(y + shift, y, scale)
        mixed: Tensor = self.mix(functional.gelu(y))
        return x[..., -y.shape[-1] :] + mixed

    def normed(self, x: Tensor) -> Tensor:
        """Return `x` with every hop at unit power."""
        scaled: Tensor = x * torch.rsqrt(x.square().mean(1, keepdim=True) + NORM_FLOOR) * self.gain
        return scaled


class FilmNetwork(FaceNetwork):
    """A network whose decoder has emotion and delay fused into every block by FiLM."""

    stem: CausalConv
    emotion: nn.Linear
    delay: nn.Embedding
    condition: nn.Linear
    films: nn.Linear
    decoder: nn.ModuleList

    def _films(self, emotion: Tensor, delay_hops: Tensor) -> tuple[Tensor, ...]:
        """Return the film of each decoder block, `[batch, 2 * width, 1 or hops]`."""
        weights = emotion.unsqueeze(-1) if emotion.dim() == 2 else emotion
        embedded = self.emotion(weights.transpose(1, 2))
        delay = self.delay(delay_hops).unsqueeze(1).expand(-1, embedded.shape[1], -1)
        films = self.films(functional.gelu(self.condition(torch.cat((embedded, delay), -1))))
        per_block: tuple[Tensor, ...] = films.transpose(1, 2).chunk(len(self.decoder), 1)
        return per_block

    def _constant_caches(
        self, row: Tensor, blocks: Iterable[Block], films: Iterable[Tensor | None]
    ) -> Caches:
        """Return the caches of the stem and of blocks after an endless repetition of a row.

        `row` is the stem's input `[batch, inputs, 1]`.
        """
        caches = [row.repeat(1, 1, self.stem.reach)]
        x = self.stem(row.repeat(1, 1, 1 + self.stem.reach))
        for block, film in zip(blocks, films, strict=True):
            caches.append(block.normed(x).repeat(1, 1, block.conv.reach))
            x = block(x.repeat(1, 1, 1 + block.conv.reach), None, film)
        return caches


class CSTalkNetwork(FilmNetwork):
    """Sound, emotion and delay to rows of face channels."""

    architecture: Architecture

    def __init__(
        self, architecture: Architecture, minimum: Sequence[float], maximum: Sequence[float]
    ) -> None:
        super().__init__(architecture, minimum, maximum)
        a = architecture
        self.log_mel = LogMel()
        self.stem = CausalConv(FEATURES, a.width)
        self.encoder = nn.ModuleList(Block(a.width, dilation) for dilation in a.encoder_dilations)
        self.phone_head = nn.Conv1d(a.width, a.phones, 1)
        self.emotion = nn.Linear(a.emotions, a.condition_width // 2, bias=False)
        self.delay = nn.Embedding(a.delays, a.condition_width // 2)
        self.condition = nn.Linear(a.condition_width, a.condition_width)
        self.films = nn.Linear(a.condition_width, 2 * a.width * len(a.decoder_dilations))
        self.decoder = nn.ModuleList(Block(a.width, dilation) for dilation in a.decoder_dilations)
        self.head = nn.Conv1d(a.width, a.channels, 1)

    def forward(
        self, samples: Tensor, emotion: Tensor, delay_hops: Tensor, caches: Caches | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return channels `[batch, channels, n]` and phone logits `[batch, phones, m]`.

        `samples` is `[batch, HISTORY_SAMPLES + hops * HOP_SAMPLES]`, `emotion` weights
        `[batch, emotions]` or, hop by hop, `[batch, emotions, hops]`, `delay_hops` integers
        `[batch]`. Without caches n = hops - window_hops + 1; with caches (from `silent_caches`,
        changed in place) n = hops. The channels are not yet clamped. The phone
        logits are those of hop t - `PHONE_DELAY_HOPS`, at any delay.
        """
        x = self.stem(self.log_mel(samples), caches)
        for block in self.encoder:
            x = block(x, caches)
        phones = self.phone_head(x)
        for block, film in zip(self.decoder, self._films(emotion, delay_hops), strict=True):
            x = block(x, caches, film)
        return self.head(functional.gelu(x)), phones

    def silent_caches(self, emotion: Tensor, delay_hops: Tensor) -> Caches:
        """Return the caches that endless digital silence leaves behind, for `forward`'s inputs."""
        hop = self.stem.conv.weight.new_zeros(len(emotion), HISTORY_SAMPLES + HOP_SAMPLES)
        films = (*[None] * len(self.encoder), *self._films(emotion, delay_hops))
        blocks = cast("list[Block]", [*self.encoder, *self.decoder])
        return self._constant_caches(self.log_mel(hop), blocks, films)


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
        films = self._films(emotion, delay_hops)
        return caches + self._constant_caches(row, self._blocks, films)

    @property
    def _blocks(self) -> list[Block]:
        return cast("list[Block]", list(self.decoder))

    def _decoded(self, samples: Tensor) -> int:
        """Return how many of the encoder's rows, all of them whole, the decoder is to take."""
        hops = (samples.shape[-1] - ENCODER_HISTORY_SAMPLES) // HOP_SAMPLES
        a = self.architecture
        return hops - a.window_hops + 1 + self.stem.reach + a.past_hops
