from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.render.network import load_network
from bridge.render.settings import RenderSettings

if TYPE_CHECKING:
    from models.generator import Generator


@pytest.fixture(scope="package")
def generator() -> Generator:
    return load_network(RenderSettings(device="cpu"))
