"""A small network, a recording, and a collector of the packets that the daemon sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from tests.daemon.running import PacketCollector
from tests.networks import GUARDED, write_weights
from tests.outputs.receiving import receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "small.safetensors", GUARDED)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of noise whose level rises and falls."""
    time_s = np.arange(3 * 16_000) / 16_000
    noise = np.random.default_rng(5).standard_normal(len(time_s))
    path = tmp_path_factory.mktemp("sound") / "noise.wav"
    soundfile.write(path, 0.2 * noise * np.sin(2 * time_s) ** 2, 16_000, subtype="FLOAT")
    return path


@pytest.fixture
def collector() -> Iterator[PacketCollector]:
    with receiver() as source:
        collector = PacketCollector(source)
        yield collector
        collector.packets()
