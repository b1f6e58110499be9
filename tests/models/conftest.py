from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from cstalk_bridge.models import load_generator
from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.cstalk.architecture import Architecture, Description
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.loading import build_network, save_network

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.models.cstalk.generator import Generator

SMALL = Architecture(width=16, encoder_dilations=(1, 2), decoder_dilations=(1, 4))


@pytest.fixture(scope="session")
def small_description() -> Description:
    return Description(SMALL, AUDIO_DRIVEN, EMOTIONS, 16_000, 50, {"licence": "none"})


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory: pytest.TempPathFactory, small_description: Description) -> Path:
    """A small untrained network whose outputs are large enough for frames to differ."""
    torch.manual_seed(3)
    network = build_network(small_description)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_network(path, network, small_description)
    return path


@pytest.fixture(scope="session")
def generator(small_weights: Path) -> Generator:
    return load_generator(small_weights, "cpu")
