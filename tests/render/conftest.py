from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.network import load_network

if TYPE_CHECKING:
    from models.generator import Generator


@pytest.fixture(scope="package")
def generator() -> Generator:
    return load_network(None, "cpu")
