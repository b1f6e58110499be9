"""A preview that really serves, and one generator for all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.models import load_generator
from tests.preview.serving import Serving, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cstalk_bridge.models.cstalk.generator import Generator


@pytest.fixture(scope="package")
def generator() -> Generator:
    return load_generator(device="cpu")


@pytest.fixture(scope="package")
def serving(generator: Generator) -> Iterator[Serving]:
    with serve(generator) as serving:
        yield serving
