from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.face.inference import load_network

if TYPE_CHECKING:
    from cstalk_bridge.models.cstalk.generator import Generator


@pytest.fixture(scope="package")
def generator() -> Generator:
    return load_network(None, "cpu")
