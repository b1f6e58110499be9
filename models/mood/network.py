"""The network that tells, for each hop, how far a voice speaks for each emotion, to be trained.

`models.mood.graph` computes the same without torch; a test holds the two to each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.emotions import EMOTIONS
from models.mood.features import TRAITS
from models.mood.sizes import INPUTS, Sizes
from models.network import Block, CausalConv

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class MoodNetwork(nn.Module):
    """Inputs to evidence: a causal convolution network over the last 1.3 s."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.register_buffer("average", torch.zeros(TRAITS))
        self.average: Tensor
        self.stem = CausalConv(INPUTS, sizes.width)
        self.blocks = nn.ModuleList(Block(sizes.width, dilation) for dilation in sizes.dilations)
        self.head = nn.Conv1d(sizes.width, len(EMOTIONS), 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the evidence `[batch, emotions, n]` of inputs `[batch, INPUTS, past_hops + n]`."""
        x = self.stem(inputs)
        for block in self.blocks:
            x = block(x)
        evidence: Tensor = self.head(x)
        return evidence

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Return all its tensors by name, as a weights file has them."""
        return {name: tensor.cpu().numpy() for name, tensor in self.state_dict().items()}
