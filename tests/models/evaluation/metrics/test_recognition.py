from __future__ import annotations

import numpy as np

from models.evaluation.metrics.recognition import learn


def clouds(seed: int, sizes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    centres = np.array([[0, 0, 5], [4, 0, 5], [0, 4, 5]], dtype=np.float32)
    classes = np.repeat(np.arange(len(sizes)), sizes)
    return centres[classes] + 0.6 * random.standard_normal((len(classes), 3)), classes


def test_clouds_apart_are_told_apart_also_where_one_is_rare() -> None:
    classifier = learn(*clouds(0, (200, 200, 8)))
    features, classes = clouds(1, (50, 50, 50))
    assert (classifier.classes(features) == classes).mean() > 0.97


def test_a_feature_that_never_moves_does_no_harm() -> None:
    features, classes = clouds(0, (30, 30, 30))
    features[:, 2] = 5.0
    assert (learn(features, classes).classes(features) == classes).mean() > 0.97
