from __future__ import annotations

import numpy as np
import pytest

from models.evaluation.metrics.agreement import agreement, pearson

TIMES_S = np.arange(90) / 30 + 0.5


def wave(times_s: np.ndarray) -> np.ndarray:
    return (np.sin(2 * np.pi * 2.3 * times_s) + np.sin(2 * np.pi * 0.9 * times_s)).astype(
        np.float32
    )


@pytest.mark.parametrize("late_s", [-0.12, 0.0, 0.02, 0.1])
def test_the_lag_is_found_and_positive_where_the_made_curve_is_late(late_s: float) -> None:
    made = wave(np.arange(200) / 50 - late_s)
    found = agreement(3 * made + 1, TIMES_S, wave(TIMES_S))
    assert found.lag_s == pytest.approx(late_s, abs=0.011)
    assert found.best > 0.99
    assert found.together <= found.near <= found.best
    assert (found.near > 0.99) == (abs(late_s) <= 0.04)


def test_the_opposite_is_minus_one() -> None:
    assert pearson(wave(TIMES_S), -wave(TIMES_S)) == pytest.approx(-1.0)


def test_a_still_curve_follows_nothing_and_has_no_lag() -> None:
    found = agreement(np.zeros(200, dtype=np.float32), TIMES_S, wave(TIMES_S))
    assert (found.together, found.near, found.best, found.lag_s) == (0.0, 0.0, 0.0, 0.0)
