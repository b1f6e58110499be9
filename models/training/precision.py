"""Training in half the bits: layers compute in bf16; sums, weights and losses stay in fp32."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch

from models.face_network import FaceNetwork

if TYPE_CHECKING:
    from torch import Tensor

PRECISIONS = ("bf16", "fp32")


def precision_on(device: torch.device) -> str:
    """Return "bf16" where the device can compute in it, else "fp32"."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if torch.amp.is_autocast_available(device.type) else "fp32"


class Trainee(FaceNetwork):
    """A network as it is trained: in one of `PRECISIONS`, from and to fp32.

    Its weights are the network's own, and they stay in fp32.
    """

    def __init__(self, network: FaceNetwork, precision: str) -> None:
        low, high = network.minimum.flatten().tolist(), network.maximum.flatten().tolist()
        super().__init__(network.architecture, low, high)
        if precision not in PRECISIONS:
            raise ValueError(f"precision {precision}: use one of {', '.join(PRECISIONS)}")
        self.network = network
        self.precision = precision

    def forward(
        self, samples: Tensor, emotion: Tensor, delay_hops: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return channels and phone logits in fp32, as `FaceNetwork.forward`."""
        halved = torch.autocast(samples.device.type, dtype=torch.bfloat16)
        with halved if self.precision == "bf16" else nullcontext():
            channels, phones = self.network(samples, emotion, delay_hops)
        return channels.float(), None if phones is None else phones.float()
