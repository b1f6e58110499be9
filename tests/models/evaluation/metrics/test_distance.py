from __future__ import annotations

import numpy as np
import pytest

from models.evaluation.metrics.distance import dynamics_deviation, mean_distance, squared_error


def test_a_constant_offset_gives_its_square_summed_over_channels() -> None:
    true = np.zeros((10, 3), dtype=np.float32)
    made = true + np.array([0.1, 0.2, 0.0], dtype=np.float32)
    assert squared_error(made, true) == pytest.approx(0.05)
    assert mean_distance(made, true) == pytest.approx(0.05**0.5)


def test_frames_weigh_the_same() -> None:
    true = np.zeros((4, 1), dtype=np.float32)
    made = np.array([[0.0], [0.0], [0.0], [1.0]], dtype=np.float32)
    assert squared_error(made, true) == pytest.approx(0.25)
    assert mean_distance(made, true) == pytest.approx(0.25)


def test_a_still_face_lacks_the_dynamics_of_the_true_one() -> None:
    true = np.array([[0.0], [1.0]] * 10, dtype=np.float32)
    still = np.full_like(true, 0.7)
    assert dynamics_deviation(still, true) == pytest.approx(0.5)
    assert dynamics_deviation(true, still) == pytest.approx(-0.5)
    assert dynamics_deviation(true, true) == 0.0


def test_faces_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="must be equal"):
        squared_error(np.zeros((3, 2), np.float32), np.zeros((3, 1), np.float32))
