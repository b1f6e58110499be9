from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.models.metrics.curves import (
    LAGS_S,
    SACCADE_DEG_S,
    SHUT,
    Closures,
    agreement,
    at_own_lag,
    closing_time,
    closures,
    dynamics_deviation,
    jerk,
    mean_distance,
    pearson,
    resting,
    runs,
    saccade_sizes,
    saccades,
    squared_error,
)
from cstalk_bridge.models.training.alignment import speech_span

P, AA, T = 1, 2, 3
PHONES = np.repeat([T, P, AA, P, AA], [5, 4, 10, 4, 3])


def test_one_of_two_bilabials_is_sealed_and_one_vowel_wrongly() -> None:
    together = np.zeros(len(PHONES), dtype=np.float32)
    together[4] = 0.9  # the row before the first p
    together[14] = 0.6  # the middle of the long vowel
    opening = np.linspace(0.5, 0.1, len(PHONES)).astype(np.float32)
    found = closures(together, opening, PHONES, [P], [AA])
    assert (found.sealed, found.closers, found.false, found.vowels) == (1, 2, 1, 1)
    assert (found.rate, found.false_rate) == (0.5, 1.0)
    assert found.gaps[1] == opening[23]


def test_the_edges_of_a_vowel_belong_to_its_neighbours() -> None:
    together = np.zeros(len(PHONES), dtype=np.float32)
    together[[9, 10, 17, 18]] = 1.0
    assert closures(together, together, PHONES, [P], [AA]).false == 0


def test_clips_add_up_and_none_have_no_rate() -> None:
    one, none = Closures(1, 2, 0, 4, (0.1, 0.2)), Closures(0, 0, 0, 0, ())
    assert one + one == Closures(2, 4, 0, 8, (0.1, 0.2, 0.1, 0.2))
    assert math.isnan(none.rate)
    assert math.isnan(none.false_rate)


def falling(last_open_s: float, rows: int = 100) -> np.ndarray:
    """An opening that falls linearly by 1 a second and crosses `SHUT` at `last_open_s`."""
    times_s = np.arange(rows) / 50
    return np.clip(SHUT + last_open_s - times_s, 0.0, 1.0).astype(np.float32)


def test_the_closing_time_lies_between_rows() -> None:
    assert closing_time(falling(0.73), 0.6) == pytest.approx(0.13, abs=1e-4)
    assert closing_time(falling(0.61), 0.605) == pytest.approx(0.005, abs=1e-4)


def test_a_mouth_shut_in_time_takes_none_and_one_that_stays_open_the_whole_rest() -> None:
    assert closing_time(falling(0.5), 0.6) == 0.0
    assert closing_time(np.ones(100, dtype=np.float32), 0.98) == pytest.approx(1.0)


def test_a_mouth_that_opens_again_is_not_shut() -> None:
    opening = falling(0.5)
    opening[50:55] = 0.5
    assert 0.48 < closing_time(opening, 0.6) <= 0.5


def test_rest_is_what_is_far_from_speech() -> None:
    opening = np.arange(100, dtype=np.float32)
    assert resting(opening, 0.5, 1.0).tolist() == [*range(10), *range(66, 100)]


def test_speech_is_found_by_its_level() -> None:
    sound = np.zeros(16_000, dtype=np.float32)
    sound[3200:9600] = 0.1
    sound[9600:12_800] = 0.0005  # 46 dB under it
    assert speech_span(sound) == pytest.approx((0.2, 0.6))
    assert speech_span(np.zeros(16_000, dtype=np.float32)) == (0.0, 0.0)


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


def test_a_saccade_over_several_rows_is_one_and_a_drift_is_none() -> None:
    eyes = np.zeros((100, 2), dtype=np.float32)
    eyes[20:24, 0] = [2, 6, 10, 12]
    eyes[24:, 0] = 12 + 0.1 * np.arange(76)
    np.testing.assert_allclose(saccade_sizes(eyes, 50.0), [12.0], rtol=1e-5)


def test_the_threshold_separates_saccades_from_pursuit() -> None:
    for speed_deg_s, count in ((SACCADE_DEG_S - 1, 0), (SACCADE_DEG_S + 1, 1)):
        yaw = np.clip(np.arange(100) - 20, 0, 30) * speed_deg_s / 50
        gaze = np.stack((yaw, np.zeros(100)), axis=1).astype(np.float32)
        assert len(saccades(gaze, 50.0)) == count


def test_a_saccade_is_from_its_last_old_to_its_first_new_direction() -> None:
    gaze = np.zeros((10, 2), dtype=np.float32)
    gaze[4:] = [3, 4]
    assert saccades(gaze, 50.0).tolist() == [[3, 4]]
    assert saccade_sizes(gaze, 50.0).tolist() == [5.0]
    assert saccade_sizes(gaze / np.float32(10), 50.0).tolist() == []


def test_a_persons_lag_is_found_in_other_clips() -> None:
    late = np.exp(-(((LAGS_S - 0.06) / 0.05) ** 2))
    assert at_own_lag(np.stack([0.8 * late, 0.4 * late, 0.6 * late])) == pytest.approx(0.6)
    assert np.isnan(at_own_lag(late[None]))


def test_a_lag_found_in_noise_gains_nothing() -> None:
    random = np.random.default_rng(5)
    people = random.normal(0.0, 0.3, (400, 6, len(LAGS_S)))
    assert np.mean([clips.mean(0).max() for clips in people]) > 0.2
    assert abs(np.mean([at_own_lag(clips) for clips in people])) < 0.02
