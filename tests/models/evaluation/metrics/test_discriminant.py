from __future__ import annotations

import numpy as np
import pytest

from models.evaluation.metrics.discriminant import learn, recall

CENTRES = np.array([[0.0, 0.0, 1.0], [3.0, 0.0, 1.0], [0.0, 3.0, 1.0]])


def cloud(seed: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    classes = random.integers(0, 3, 300) * 4  # numbers with gaps
    noise = spread * random.standard_normal((300, 3)) * [1, 1, 0]  # the last one never moves
    return CENTRES[classes // 4] + noise, classes


@pytest.mark.parametrize(("spread", "least", "most"), [(0.3, 0.99, 1.0), (3.0, 0.4, 0.8)])
def test_classes_are_told_as_far_as_they_are_apart(
    spread: float, least: float, most: float
) -> None:
    told = learn(*cloud(1, spread))
    features, classes = cloud(2, spread)
    assert least <= recall(told.tell(features), classes) <= most


def test_features_that_say_nothing_are_guessing() -> None:
    random = np.random.default_rng(0)
    classes = random.integers(0, 4, 2000)
    told = learn(np.zeros((2000, 2)), classes).tell(np.zeros((2000, 2)))
    assert recall(told, classes) == pytest.approx(0.25)
