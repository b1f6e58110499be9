import numpy as np
import pytest

from cstalk_bridge.bench.packets import (
    Arrivals,
    JawResponse,
    added,
    first_passing,
    jaw_response,
    of_arrivals,
    vowel,
)
from cstalk_bridge.bench.report import missed
from cstalk_bridge.models.errors import UserError


def opening(times_s: np.ndarray, step_s: float) -> np.ndarray:
    """A jaw which opens from 0.02 to 0.52 within 100 ms after a step, and stays."""
    return (0.02 + 0.5 * np.clip((times_s - step_s) / 0.1, 0.0, 1.0)).astype(np.float32)


def test_the_offline_response_is_where_the_jaw_leaves_its_silence() -> None:
    found = jaw_response(opening(np.arange(100) / 50, 1.0), 50, 1.0)
    assert found.threshold == pytest.approx(0.17, abs=1e-3)
    assert found.delay_s == pytest.approx(0.030, abs=1e-3)


def test_a_jaw_that_stays_shut_cannot_be_measured() -> None:
    with pytest.raises(UserError, match="other weights"):
        jaw_response(np.full(100, 0.3, dtype=np.float32), 50, 1.0)


def test_only_upward_crossings_count() -> None:
    times_s = np.arange(5.0)
    assert first_passing(times_s, np.array([0, 0, 1, 1, 0]), 0.5) == pytest.approx(1.5)
    assert np.isnan(first_passing(times_s, np.array([1, 1, 0, 0, 0]), 0.5))


def test_added_latency_is_what_the_network_and_look_ahead_do_not_explain() -> None:
    """A face shown 120 ms late with a look-ahead of 80 ms: 40 ms, and up to a frame of waiting."""
    ticks_s = 10.0 + np.arange(600) / 60
    steps_s = [11.0, 13.003, 15.009, 18.0]
    jaws = np.max(
        [opening(ticks_s - 0.12, step_s) * (ticks_s < step_s + 1) for step_s in steps_s], 0
    )
    arrivals = Arrivals(ticks_s, np.arange(600.0), jaws, np.zeros(600))
    durations_s = added(arrivals, steps_s, JawResponse(0.17, 0.030), 0.08)
    assert len(durations_s) == 4
    assert all(0.0395 < duration_s < 0.040 + 1 / 60 for duration_s in durations_s)


def test_a_step_without_a_response_is_left_out() -> None:
    arrivals = Arrivals(np.arange(600) / 60, np.arange(600.0), np.zeros(600), np.zeros(600))
    assert added(arrivals, [1.0, 20.0], JawResponse(0.1, 0.0), 0.08) == []


def test_the_vowel_begins_at_once_and_is_loud() -> None:
    sound = vowel(48_000)
    assert len(sound) == round(0.16 * 48_000)
    assert np.sqrt(np.mean(sound[:2400] ** 2)) > 0.02


def arrivals(frames: list[int], fps: float = 60.0) -> Arrivals:
    numbers = np.array(frames, dtype=np.float64)
    return Arrivals(
        100.0 + np.arange(len(frames)) / fps, numbers, np.zeros(len(frames)), np.zeros(len(frames))
    )


def test_every_frame_sent_once_meets_the_limits() -> None:
    assert missed(of_arrivals(arrivals(list(range(600))))) == 0


def test_lost_repeated_and_slow_frames_are_detected() -> None:
    assert missed(of_arrivals(arrivals([*range(300), *range(301, 600)]))) == 2
    assert missed(of_arrivals(arrivals([*range(300), *range(299, 600)]))) == 2
    assert missed(of_arrivals(arrivals(list(range(600)), fps=59.5))) == 1


def test_missing_packets_miss_the_limits() -> None:
    assert missed(of_arrivals(arrivals([]))) == 1
