from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.control.running import RunningBridge, running_bridge

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBridge]:
    """Two subjects, shared by the tests of a module, which may change them."""
    folder = tmp_path_factory.mktemp("bridge")
    with running_bridge(folder, "CSTalk", "Ada Lovelace", control={"osc": ":0"}) as running:
        yield running
