"""Sizes of the face networks and the description in a weights file; free of torch.

There are two architectures, on log-mel features and on the speech encoder. Every form of the
generator (torch, ONNX) is built from these sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from cstalk_bridge.models.board import CHANNEL_INDEX, CHANNELS
from cstalk_bridge.models.features import (
    ENCODER_BANDS,
    ENCODER_HISTORY_SAMPLES,
    FEATURES,
    HISTORY_SAMPLES,
    KERNEL,
    MOST_RIGHT,
    REACH_HOPS,
    RIGHT_HOPS,
    WINDOW_HOPS,
    delay_within,
)
from cstalk_bridge.models.timing import HOP_MS, HOP_SAMPLES, MAX_LOOKAHEAD_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


if TYPE_CHECKING:
    Tensors = Mapping[str, NDArray[np.float32]]


NORM_FLOOR = 1e-5
"""Added to the power of a hop before its norm divides by it."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """The sizes of the network, as a weights file names them.

    `emotions` is the length of a condition vector: the emotion weights and, in networks that have
    one, the mouth guard.
    """

    width: int = 192
    encoder_dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2)
    decoder_dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2)
    condition_width: int = 64
    phones: int = 33
    emotions: int = 8
    delays: int = 13
    channels: int = 81

    @property
    def window_hops(self) -> int:
        """Hops that an output depends on: the receptive field of all layers."""
        return 1 + (KERNEL - 1) + self.past_hops

    @property
    def window_samples(self) -> int:
        """Samples that an output depends on."""
        return self.window_hops * HOP_SAMPLES + HISTORY_SAMPLES

    @property
    def past_hops(self) -> int:
        """Hops of inputs that all blocks together keep for the next call."""
        return (KERNEL - 1) * sum(self.encoder_dilations + self.decoder_dilations)

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor of the network, by its name in a weights file."""
        half = self.condition_width // 2
        shapes: dict[str, tuple[int, ...]] = {
            "stem.conv.weight": (self.width, FEATURES, KERNEL),
            "stem.conv.bias": (self.width,),
            "phone_head.weight": (self.phones, self.width, 1),
            "phone_head.bias": (self.phones,),
            "emotion.weight": (half, self.emotions),
            "delay.weight": (self.delays, half),
            "condition.weight": (self.condition_width, self.condition_width),
            "condition.bias": (self.condition_width,),
            "films.weight": (
                2 * self.width * len(self.decoder_dilations),
                self.condition_width,
            ),
            "films.bias": (2 * self.width * len(self.decoder_dilations),),
            "head.weight": (self.channels, self.width, 1),
            "head.bias": (self.channels,),
        }
        stacks = {"encoder": self.encoder_dilations, "decoder": self.decoder_dilations}
        for stack, dilations in stacks.items():
            for number in range(len(dilations)):
                block = f"{stack}.{number}"
                shapes[f"{block}.gain"] = (self.width, 1)
                shapes[f"{block}.conv.conv.weight"] = (self.width, self.width, KERNEL)
                shapes[f"{block}.conv.conv.bias"] = (self.width,)
                shapes[f"{block}.mix.weight"] = (self.width, self.width, 1)
                shapes[f"{block}.mix.bias"] = (self.width,)
        return shapes


class NetworkSizes(Protocol):
    """The sizes of a network, as a weights file names them."""

    @property
    def phones(self) -> int:
        """Phones that the encoder distinguishes; 0 without a phone head."""

    @property
    def emotions(self) -> int:
        """Length of an emotion vector."""

    @property
    def delays(self) -> int:
        """Number of look-aheads: 0 to `delays` - 1 hops."""

    @property
    def channels(self) -> int:
        """Length of a face."""

    @property
    def window_hops(self) -> int:
        """Hops of sound that an output needs: the hop it follows, and those before it."""


ENCODER_DELAYS: tuple[int, ...] = tuple(
    delay_within(hops) for hops in range(MAX_LOOKAHEAD_MS // HOP_MS + 1)
)
"""The encoder's delay, an index of its `RIGHT_HOPS`, by look-ahead in hops."""


@dataclass(frozen=True, slots=True)
class EncoderArchitecture:
    """The sizes that a weights file must name to be rebuilt.

    Sizes named `ear_*` are the encoder's; `emotions` is the length of a condition vector.
    """

    ear_width: int = 384
    ear_heads: int = 6
    ear_inner: int = 1536
    ear_layers: int = len(RIGHT_HOPS[0])
    width: int = 192
    decoder_dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 2)
    condition_width: int = 64
    phones: int = 33
    emotions: int = 8
    delays: int = len(ENCODER_DELAYS)
    channels: int = 81

    @property
    def window_hops(self) -> int:
        """Hops that an output depends on: the reach of encoder and decoder together."""
        return WINDOW_HOPS + self.window_rows

    @property
    def window_rows(self) -> int:
        """Rows of the encoder before its own that an output of the decoder takes."""
        return KERNEL - 1 + self.past_hops

    @property
    def window_samples(self) -> int:
        """Samples that an output depends on."""
        return self.window_hops * HOP_SAMPLES + ENCODER_HISTORY_SAMPLES

    @property
    def past_hops(self) -> int:
        """Hops that the decoder's blocks keep of their inputs, all together, for the next call."""
        return (KERNEL - 1) * sum(self.decoder_dilations)

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor of the network, by its name in a weights file."""
        half, width = self.condition_width // 2, self.width
        shapes: dict[str, tuple[int, ...]] = {
            "phone_head.weight": (self.phones, self.ear_width),
            "phone_head.bias": (self.phones,),
            "stem.conv.weight": (width, self.ear_width, KERNEL),
            "stem.conv.bias": (width,),
            "emotion.weight": (half, self.emotions),
            "delay.weight": (self.delays, half),
            "condition.weight": (self.condition_width, self.condition_width),
            "condition.bias": (self.condition_width,),
            "films.weight": (2 * width * len(self.decoder_dilations), self.condition_width),
            "films.bias": (2 * width * len(self.decoder_dilations),),
            "head.weight": (self.channels, width, 1),
            "head.bias": (self.channels,),
        }
        for number in range(len(self.decoder_dilations)):
            block = f"decoder.{number}"
            shapes[f"{block}.gain"] = (width, 1)
            shapes[f"{block}.conv.conv.weight"] = (width, width, KERNEL)
            shapes[f"{block}.conv.conv.bias"] = (width,)
            shapes[f"{block}.mix.weight"] = (width, width, 1)
            shapes[f"{block}.mix.bias"] = (width,)
        return shapes | {f"ear.{name}": shape for name, shape in self._encoder_shapes().items()}

    def _encoder_shapes(self) -> dict[str, tuple[int, ...]]:
        width, inner = self.ear_width, self.ear_inner
        shapes: dict[str, tuple[int, ...]] = {
            "conv1.weight": (width, ENCODER_BANDS, ENCODER_KERNEL),
            "conv1.bias": (width,),
            "conv2.weight": (width, width, ENCODER_KERNEL),
            "conv2.bias": (width,),
            "place": (width,),
            "delays": (len(RIGHT_HOPS), width),
            "mean": (width,),
            "spread": (width,),
        }
        for number in range(self.ear_layers):
            layer = f"layers.{number}"
            shapes[f"{layer}.offset"] = (self.ear_heads, REACH_HOPS + 1 + MOST_RIGHT)
            for norm in ("attention_norm", "inner_norm"):
                shapes |= {f"{layer}.{norm}.{part}": (width,) for part in ("weight", "bias")}
            linears = {
                "projection": (3 * width, width),
                "mix": (width, width),
                "inner": (inner, width),
                "outer": (width, inner),
            }
            for name, shape in linears.items():
                shapes[f"{layer}.{name}.weight"] = shape
                shapes[f"{layer}.{name}.bias"] = shape[:1]
        return shapes


STREAMING: Mapping[str, type[Architecture | EncoderArchitecture]] = {
    "cstalk-encoder": EncoderArchitecture,
    "cstalk": Architecture,
}
"""The networks in `cstalk_bridge.models.baselines.NETWORKS` that can stream, by the class of their
sizes."""


@dataclass(frozen=True, slots=True)
class Description:
    """The description in a weights file.

    `channels` are board names in output order, `emotions` in the order of the emotion vector;
    `card` holds data, licence, minutes, settings and training hash, for people; `network` is a
    name in `cstalk_bridge.models.baselines.NETWORKS`, `architecture` its sizes.
    """

    architecture: NetworkSizes
    channels: tuple[str, ...]
    emotions: tuple[str, ...]
    sample_rate_hz: int
    rate_hz: int
    card: Mapping[str, Any]
    network: str = "cstalk"

    @property
    def streams(self) -> bool:
        """Whether it can run hop by hop."""
        return self.network in STREAMING

    @property
    def streaming_architecture(self) -> Architecture | EncoderArchitecture:
        """The sizes of a network that streams; TypeError for another."""
        if not isinstance(self.architecture, Architecture | EncoderArchitecture):
            raise TypeError(f"a {self.network} network has no such sizes")
        return self.architecture

    @property
    def limits(self) -> tuple[list[float], list[float]]:
        """The least and greatest value of each channel."""
        channels = [CHANNELS[CHANNEL_INDEX[name]] for name in self.channels]
        return [c.minimum for c in channels], [c.maximum for c in channels]


ENCODER_KERNEL = 3
"""Taps of the encoder's convolutions."""
