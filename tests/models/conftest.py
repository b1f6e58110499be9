from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from models import load_generator
from models.architecture import Architecture
from models.board import AUDIO_DRIVEN
from models.emotions import EMOTIONS
from models.weights_file import Description, build, save

if TYPE_CHECKING:
    from pathlib import Path

    from models.generator import Generator

SMALL = Architecture(width=16, encoder_dilations=(1, 2), decoder_dilations=(1, 4))


@pytest.fixture(scope="session")
def small_description() -> Description:
    return Description(SMALL, AUDIO_DRIVEN, EMOTIONS, 16_000, 50, {"licence": "none"})


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory: pytest.TempPathFactory, small_description: Description) -> Path:
    """A small untrained network whose outputs are large enough to tell frames apart."""
    torch.manual_seed(3)
    network = build(small_description)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save(path, network, small_description)
    return path


@pytest.fixture(scope="session")
def generator(small_weights: Path) -> Generator:
    return load_generator(small_weights, "cpu")
