from __future__ import annotations

import pytest
import torch

from cstalk_bridge.models.encoder.network import Encoder, EncoderSizes
from cstalk_bridge.models.features import REACH_HOPS

SMALL = EncoderSizes(width=24, heads=2, inner=48, layers=3)


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    """A small untrained encoder whose delays and distances make a difference."""
    torch.manual_seed(5)
    network = Encoder(SMALL).eval().requires_grad_(requires_grad=False)
    torch.nn.init.normal_(network.delays)
    torch.nn.init.normal_(network.place)
    for layer in network.stack:
        torch.nn.init.normal_(layer.offset, 0.0, 0.1)
        layer.offset[:, REACH_HOPS:] += 0.5  # near hops count
    return network
