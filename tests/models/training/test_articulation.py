"""The articulation network learns faces that differ in habit and size, and carries their mean."""

from __future__ import annotations

import numpy as np
import pytest

from models.training import articulation
from models.training.articulation import Lesson, correlation, inputs_of, learn
from models.training.captured_mouths import CURVES, TEACHERS
from models.training.phones import PHONES

ROWS = 150
SIZES = {"grid_s1": 0.4, "facegood": 0.2}


def lesson(source: str, seed: int) -> Lesson:
    """A talker whose jaw opens in AA and whose lips purse in UW."""
    random = np.random.default_rng(seed)
    said = np.repeat(random.choice([0, PHONES.index("AA"), PHONES.index("UW")], ROWS // 10), 10)
    heard = np.eye(len(PHONES), dtype=np.float32)[said]
    captured = np.zeros((ROWS, len(CURVES)), dtype=np.float32)
    captured[:, CURVES.index("jaw")] = SIZES[source] * (said == PHONES.index("AA"))
    captured[:, CURVES.index("pucker")] = SIZES[source] * (said == PHONES.index("UW"))
    loudness = (said > 0).astype(np.float32)
    return Lesson(source, inputs_of(heard, loudness), captured)


def test_it_learns_both_and_carries_in_the_first_ones_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(articulation, "STEPS", 120)
    lessons = [lesson(source, seed) for source in TEACHERS for seed in range(4)]
    network = learn(lessons, 1)
    fresh = [lesson("grid_s1", 9), lesson("facegood", 9)]
    jaw, pucker, _ = correlation(network, fresh)
    assert jaw > 0.9
    assert pucker > 0.9
    carried = network.carry(fresh[0].inputs)
    opened = fresh[0].captured[:, 0] > 0
    assert carried.shape == (ROWS, len(CURVES))
    assert carried[opened, 0].mean() == pytest.approx(SIZES["grid_s1"], rel=0.35)
    assert carried.min() >= 0.0
