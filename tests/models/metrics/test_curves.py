from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.models.metrics.curves import (
    agreement,
    dynamics_deviation,
    jerk,
    mean_distance,
    pearson,
    runs,
    squared_error,
)

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
    assert found.at_zero_lag <= found.near <= found.best
    assert (found.near > 0.99) == (abs(late_s) <= 0.04)


def test_the_opposite_is_minus_one() -> None:
    assert pearson(wave(TIMES_S), -wave(TIMES_S)) == pytest.approx(-1.0)


def test_a_still_curve_follows_nothing_and_has_no_lag() -> None:
    found = agreement(np.zeros(200, dtype=np.float32), TIMES_S, wave(TIMES_S))
    assert (found.at_zero_lag, found.near, found.best, found.lag_s) == (0.0, 0.0, 0.0, 0.0)


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


@given(st.lists(st.booleans(), max_size=40))
def test_runs_cover_exactly_the_true_rows(flags: list[bool]) -> None:
    spans = runs(np.array(flags, dtype=bool))
    covered = [row for first, last in spans.tolist() for row in range(first, last)]
    assert covered == [row for row, flag in enumerate(flags) if flag]
    assert all(a[1] < b[0] for a, b in itertools.pairwise(spans))


def test_runs_reach_both_ends() -> None:
    flags = np.array([1, 1, 0, 1, 0, 1], dtype=np.bool_)
    assert runs(flags).tolist() == [[0, 2], [3, 4], [5, 6]]
