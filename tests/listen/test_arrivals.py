"""Rate, jitter and losses of simulated streams, against what was put into them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.listen.arrivals import CAPACITY, Arrivals
from bridge.listen.sighting import FrameTime


def at(position: float, rate: int = 60) -> FrameTime:
    return FrameTime(int(position), position % 1, rate, 1)


def counts(arrivals: Arrivals) -> tuple[int, int, int, int]:
    return arrivals.lost, arrivals.late, arrivals.repeated, arrivals.restarts


def test_an_even_stream_has_its_rate_and_no_jitter() -> None:
    arrivals = Arrivals()
    for frame in range(600):
        arrivals.add(frame / 60, at(1000 + frame))
    assert arrivals.per_second(599 / 60) == pytest.approx(60.0)
    assert arrivals.per_second(599 / 60 + 10) == 0.0
    spread = arrivals.jitter()
    assert spread is not None
    assert spread.worst_s == pytest.approx(0.0, abs=1e-9)
    assert counts(arrivals) == (0, 0, 0, 0)


@pytest.mark.parametrize("has_numbers", [True, False])
def test_jitter_is_what_the_gaps_are_off(has_numbers: bool) -> None:
    arrivals = Arrivals()
    shifts_s = np.random.default_rng(3).uniform(0.0, 0.004, CAPACITY)
    for frame, shift_s in enumerate(shifts_s):
        arrivals.add(frame / 60 + shift_s, at(frame) if has_numbers else None)
    spread = arrivals.jitter()
    assert spread is not None
    off_s = np.abs(np.diff(shifts_s))
    assert spread.median_s == pytest.approx(np.median(off_s), abs=2e-4)
    assert spread.worst_s == pytest.approx(off_s.max(), abs=2e-4)
    assert arrivals.knows_losses == has_numbers


def test_a_lost_frame_is_counted_and_is_no_jitter() -> None:
    arrivals = Arrivals()
    for frame in range(100):
        if frame % 10 != 5:
            arrivals.add(frame / 60, at(frame))
    assert counts(arrivals) == (10, 0, 0, 0)
    spread = arrivals.jitter()
    assert spread is not None
    assert spread.worst_s == pytest.approx(0.0, abs=1e-9)


def test_frame_times_that_drift_as_those_of_phones_lose_nothing() -> None:
    arrivals = Arrivals()
    for number in range(5000):
        arrivals.add(number / 60, at(5_000_000 + number * 1.0016))
    assert counts(arrivals) == (0, 0, 0, 0)


@given(st.lists(st.booleans(), min_size=3, max_size=80), st.integers(0, 10**6))
def test_lost_is_what_is_missing_between_the_first_and_the_last(
    came: list[bool], first: int
) -> None:
    frames = [first + place for place, has_come in enumerate(came) if has_come]
    arrivals = Arrivals()
    for frame in frames:
        arrivals.add(frame / 60, at(frame))
    expected = frames[-1] - frames[0] + 1 - len(frames) if frames else 0
    assert counts(arrivals) == (expected, 0, 0, 0)
    assert arrivals.frames == len(frames)


def test_a_frame_that_comes_late_was_not_lost_and_one_that_comes_again_is_told() -> None:
    arrivals = Arrivals()
    for place, frame in enumerate([1, 2, 4, 3, 5, 5, 6]):
        arrivals.add(place / 60, at(frame))
    assert counts(arrivals) == (0, 1, 1, 0)


@pytest.mark.parametrize("again", [at(0), at(200_000), at(1000.5, rate=30)])
def test_another_beginning_is_no_loss(again: FrameTime) -> None:
    arrivals = Arrivals()
    for frame in range(10):
        arrivals.add(frame / 60, at(1000 + frame))
    for frame in range(10):
        step = FrameTime(again.frame + frame, again.subframe, again.numerator, 1)
        arrivals.add(1 + frame / again.numerator, step)
    assert counts(arrivals) == (0, 0, 0, 1)
    spread = arrivals.jitter()
    assert spread is not None
    assert spread.worst_s == pytest.approx(0.0, abs=1e-9)


def test_two_frames_are_no_jitter_yet() -> None:
    arrivals = Arrivals()
    arrivals.add(0.0)
    arrivals.add(1.0)
    assert arrivals.jitter() is None
