import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.face.alive.eyes import MICRO_MAX_DEG, Eyes
from bridge.face.alive.gaze import Look

TICK_S = 0.001
AHEAD = Look(0.0, 0.0, is_mutual=True)


@settings(max_examples=50, deadline=None)
@given(st.floats(-24.0, 24.0), st.floats(-16.0, 12.0))
def test_a_saccade_lasts_as_its_size_asks(yaw_deg: float, pitch_deg: float) -> None:
    eyes = Eyes(Random(1))
    eyes.step(AHEAD, TICK_S, 0.0)
    for _ in range(100):
        eyes.step(AHEAD, TICK_S, 0.0)
    size_deg = math.hypot(yaw_deg, pitch_deg)
    look = Look(yaw_deg, pitch_deg, is_mutual=False)
    eyes.step(look, TICK_S, 0.0)
    assert eyes.shift_deg == pytest.approx(size_deg)
    ticks = 0
    while (eyes.yaw_deg, eyes.pitch_deg) != (yaw_deg, pitch_deg) and ticks < 200:
        eyes.step(look, TICK_S, 0.0)
        assert eyes.shift_deg == 0.0
        ticks += 1
    if size_deg > 0.1:
        assert 0.020 + 0.0022 * size_deg - 0.002 <= ticks * TICK_S
        assert ticks * TICK_S <= 0.030 + 0.0027 * size_deg + 0.002


def test_resting_eyes_make_one_or_two_small_steps_a_second_and_stay_near_the_look() -> None:
    eyes = Eyes(Random(2))
    steps = []
    for _ in range(round(300 / TICK_S)):
        eyes.step(AHEAD, TICK_S, 1.0)
        steps.append((eyes.yaw_deg, eyes.pitch_deg))
    course = np.array(steps)
    moving = np.hypot(*np.diff(course, axis=0).T) > 0.0
    count = np.count_nonzero(moving[1:] & ~moving[:-1])
    assert 1.0 <= count / 300 <= 2.0
    assert np.hypot(*course.T).max() <= MICRO_MAX_DEG / 2
    assert np.hypot(*course.T).mean() > 0.05


def test_without_idle_movement_resting_eyes_stand_still() -> None:
    eyes = Eyes(Random(3))
    for _ in range(2000):
        eyes.step(AHEAD, 0.01, 0.0)
        assert (eyes.yaw_deg, eyes.pitch_deg) == (0.0, 0.0)


def test_a_look_that_changes_in_flight_does_not_make_the_eyes_jump() -> None:
    eyes = Eyes(Random(4))
    right, left = Look(-20.0, 0.0, is_mutual=False), Look(20.0, 0.0, is_mutual=False)
    course = []
    for tick in range(400):
        eyes.step(right if tick % 80 < 40 else left, TICK_S, 0.0)
        course.append(eyes.yaw_deg)
    assert np.abs(np.diff(course)).max() < 1.2
