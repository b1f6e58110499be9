"""What every network that makes faces of sound shares, whatever stands inside."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence


class Sizes(Protocol):
    """The sizes that a weights file must name to rebuild a network."""

    @property
    def phones(self) -> int:
        """Phones that the encoder tells apart."""

    @property
    def emotions(self) -> int:
        """Length of an emotion vector."""

    @property
    def delays(self) -> int:
        """Look-aheads that can be asked for: 0 to `delays` - 1 hops."""

    @property
    def channels(self) -> int:
        """Length of a face."""

    @property
    def window_hops(self) -> int:
        """Hops of sound that an output needs: the hop it follows, and those before it."""


class FaceNetwork(nn.Module):
    """Sound, emotion and delay to rows of face channels."""

    is_windowed: ClassVar[bool] = True
    """Whether an output depends on nothing but its window: then sound may come in pieces."""
    architecture: Sizes
    minimum: Tensor
    maximum: Tensor

    def __init__(
        self, architecture: Sizes, minimum: Sequence[float], maximum: Sequence[float]
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

        `samples` is `[batch, HISTORY_SAMPLES + hops * HOP_SAMPLES]`, `emotion` weights
        `[batch, emotions]` or, hop by hop, `[batch, emotions, hops]`, `delay_hops` integers
        `[batch]`; n = hops - window_hops + 1. What follows hop t is the face of the time at which
        that hop ends, less the delay. The channels are not yet clamped. A network that tells no
        phones returns None for them.
        """

    def clamp(self, channels: Tensor) -> Tensor:
        """Return `channels` `[batch, channels, time]` within the board's ranges."""
        return torch.clamp(channels, self.minimum, self.maximum)
