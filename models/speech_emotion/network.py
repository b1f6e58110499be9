"""The speech emotion network in PyTorch, for training: evidence of each emotion for each hop.

`cstalk_bridge.models.speech_emotion.weights` computes the same without PyTorch; a test compares
both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from cstalk_bridge.models.cstalk.network import Block, CausalConv
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.speech_emotion.features import TRAITS
from cstalk_bridge.models.speech_emotion.weights import INPUTS, SpeechEmotionSizes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class SpeechEmotionNetwork(nn.Module):
    """Inputs to evidence: a causal convolution network over the last 1.3 s."""

    def __init__(self, sizes: SpeechEmotionSizes) -> None:
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
        """Return all tensors by name, as in a weights file."""
        return {name: tensor.cpu().numpy() for name, tensor in self.state_dict().items()}
