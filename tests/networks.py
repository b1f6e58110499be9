"""Small untrained networks, for tests of what stands around a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.cstalk.architecture import Architecture, Description
from cstalk_bridge.models.emotions import CONDITIONS, EMOTIONS
from cstalk_bridge.models.loading import build_network, create_generator, save_network

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.models.cstalk.network import FaceNetwork

GUARDED, UNGUARDED = len(CONDITIONS), len(EMOTIONS)
"""Conditions of a network that was trained with a mouth guard, and of one without."""

GUARD_GAIN = 30.0
"""How much more a small network heeds its guard than chance would let it."""


def small_network(conditions: int) -> tuple[FaceNetwork, Description]:
    """Return a network whose outputs are large enough to distinguish frames, always the same."""
    shape = Architecture(
        width=16, encoder_dilations=(1, 2), decoder_dilations=(1, 4), emotions=conditions
    )
    description = Description(shape, AUDIO_DRIVEN, EMOTIONS, 16_000, 50, {"licence": "none"})
    torch.manual_seed(3)
    network = build_network(description).eval()
    network.get_parameter("emotion.weight").data[:, len(EMOTIONS) :] *= GUARD_GAIN
    return network, description


def small_generator(conditions: int) -> Generator:
    """Return a generator of a small network, on the CPU."""
    return create_generator(*small_network(conditions))


def write_weights(path: Path, conditions: int) -> Path:
    """Write the weights of a small network and return their path."""
    save_network(path, *small_network(conditions))
    return path
