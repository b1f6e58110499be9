from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.face.procedural.motion import (
    EXPRESSION_DRIFT_SD,
    ExpressionDrift,
    Pulse,
    Spring,
    glide,
)


@given(st.floats(-2, 3), st.floats(-2, 3))
def test_an_ease_is_monotonic_and_in_range(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0.0 <= glide(low) <= glide(high) + 1e-12 <= 1.0 + 2e-12


def test_an_ease_starts_between_its_ends_and_stops_at_its_end() -> None:
    assert (glide(0.0), glide(0.5), glide(1.0)) == (0.0, 0.5, 1.0)


@given(st.floats(-10, 10), st.lists(st.floats(0.001, 0.1), min_size=1, max_size=60))
def test_a_spring_approaches_its_target_and_never_overshoots(
    target: float, steps_s: list[float]
) -> None:
    spring = Spring(1.5)
    values = [spring.step(target, step_s) for step_s in steps_s]
    fractions = np.array([0.0, *values]) / target if target else np.zeros(1)
    assert np.all(np.diff(fractions) >= -1e-9)
    assert fractions[-1] <= 1.0 + 1e-9


def test_a_spring_moves_alike_at_any_tick_rate() -> None:
    fast, slow = Spring(2.0), Spring(2.0)
    for _ in range(100):
        fast.step(1.0, 0.005)
    for _ in range(10):
        slow.step(1.0, 0.05)
    assert fast.value == pytest.approx(slow.value, abs=1e-9)
    assert fast.speed == pytest.approx(slow.speed, abs=1e-9)


def test_a_spring_covers_half_the_way_in_its_half_time() -> None:
    spring = Spring(1.0)
    assert spring.step(1.0, 0.267) == pytest.approx(0.5, abs=0.01)


@given(st.floats(0.005, 0.2), st.floats(0.001, 0.1))
def test_a_pulse_has_the_same_impulse_at_any_tick_rate(length_s: float, tick_s: float) -> None:
    pulse = Pulse()
    pulse.start(3.0, length_s)
    total = sum(pulse.step(tick_s) * tick_s for _ in range(round(length_s / tick_s) + 2))
    assert total == pytest.approx(3.0 * length_s)
    assert pulse.step(tick_s) == 0.0


TICK_S = 1 / 60


def drift_of(seconds: float, idle: float = 1.0) -> np.ndarray:
    drift = ExpressionDrift(Random(3))
    return np.array([drift.step(TICK_S, idle) for _ in range(round(seconds / TICK_S))])


def test_held_values_vary_slowly_by_a_fraction() -> None:
    found = drift_of(1800.0)
    assert found.std() == pytest.approx(EXPRESSION_DRIFT_SD, rel=0.25)
    assert np.abs(np.diff(found)).max() < 0.01


def test_without_idle_level_held_values_are_constant() -> None:
    assert not drift_of(10.0, idle=0.0).any()
