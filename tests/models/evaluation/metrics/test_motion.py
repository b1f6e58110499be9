from __future__ import annotations

import numpy as np
import pytest

from models.evaluation.metrics.motion import jerk


def test_a_parabola_has_its_own_second_difference_whatever_its_size() -> None:
    times_s = np.arange(201) / 50
    curve = (0.5 * times_s**2).astype(np.float32)
    size = np.percentile(curve, 95)
    assert jerk(curve) == pytest.approx(1 / 60**2 / size, rel=0.1)
    assert jerk(4 * curve) == pytest.approx(jerk(curve), rel=1e-4)


def test_a_straight_line_and_a_still_one_have_none() -> None:
    assert jerk(np.linspace(0, 1, 100).astype(np.float32)) == pytest.approx(0.0, abs=1e-6)
    for rows in (0, 2, 100):
        assert jerk(np.zeros(rows, dtype=np.float32)) == 0.0
    assert jerk(np.ones(2, dtype=np.float32)) == 0.0


def test_chatter_is_far_beyond_the_natural() -> None:
    assert jerk(np.tile([0.0, 1.0], 50).astype(np.float32)) > 0.5
