import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bridge.face.alive.settling import Policies, Policy, Rest, Settling, Situation

LIVE, SILENCE, LATE, LOST, PAUSE = Situation
TICK_S = 1 / 60


def row(value: float) -> NDArray[np.float32]:
    return np.array([value], dtype=np.float32)


def settled(policies: Policies, value: float = 0.8) -> Settling:
    """A face shown live for a second, until time 0."""
    settling = Settling(1, policies)
    for tick in range(-60, 1):
        settling.step(tick * TICK_S, LIVE, row(value))
    return settling


def at(settling: Settling, now_s: float, situation: Situation) -> float:
    return float(settling.step(now_s, situation, None)[0])


def test_a_live_face_is_followed_exactly() -> None:
    settling = settled(Policies())
    assert settling.step(1.0, LIVE, row(0.3))[0] == np.float32(0.3)


def test_each_rest_does_as_its_name_says() -> None:
    hold = settled(Policies(lost=Policy(Rest.HOLD)))
    assert at(hold, 0.1, LOST) == at(hold, 100.0, LOST) == np.float32(0.8)
    decay = settled(Policies(lost=Policy(Rest.DECAY, decay_s=0.5, hold_s=1.0)))
    at(decay, 0.0, LOST)
    assert at(decay, 0.99, LOST) == np.float32(0.8)
    assert at(decay, 1.5, LOST) == pytest.approx(0.8 * math.exp(-1.0))
    neutral = settled(Policies(lost=Policy(Rest.NEUTRAL, decay_s=0.5, hold_s=1.0)))
    at(neutral, 0.0, LOST)
    assert at(neutral, 0.5, LOST) == pytest.approx(0.8 * math.exp(-1.0))
    assert at(neutral, 30.0, LOST) == pytest.approx(0.0, abs=1e-6)


def test_silence_follows_the_generator_or_leaves_it() -> None:
    follow = settled(Policies())
    follow.step(0.0, SILENCE, row(0.1))
    assert follow.step(1.0, SILENCE, row(0.1))[0] == np.float32(0.1)
    neutral = settled(Policies(silence=Policy(Rest.NEUTRAL, decay_s=0.2)))
    neutral.step(0.0, SILENCE, row(0.1))
    assert neutral.step(2.0, SILENCE, row(0.1))[0] == pytest.approx(0.0, abs=1e-3)


def test_one_lost_tick_is_made_good_within_a_tick() -> None:
    settling = settled(Policies())
    assert at(settling, TICK_S, LOST) == np.float32(0.8)
    settling.step(2 * TICK_S, LIVE, row(0.6))
    assert settling.step(3.1 * TICK_S, LIVE, row(0.5))[0] == np.float32(0.5)


def test_each_situation_has_a_policy_of_its_own() -> None:
    policies = Policies(
        silence=Policy(Rest.NEUTRAL),
        late=Policy(Rest.FOLLOW),
        lost=Policy(Rest.DECAY),
        pause=Policy(Rest.HOLD),
    )
    assert [policies.of(situation).rest for situation in (SILENCE, LATE, LOST, PAUSE)] == [
        Rest.NEUTRAL,
        Rest.FOLLOW,
        Rest.DECAY,
        Rest.HOLD,
    ]
    assert policies.of(LIVE).rest is Rest.FOLLOW


@given(st.lists(st.tuples(st.sampled_from(list(Situation)), st.integers(1, 30)), max_size=12))
def test_no_change_of_situation_makes_the_face_jump(turns: list[tuple[Situation, int]]) -> None:
    settling = settled(Policies(silence=Policy(Rest.NEUTRAL)))
    shown = [0.8]
    tick = 0
    for situation, ticks in turns:
        for _ in range(ticks):
            tick += 1
            given_row = None if situation in {LATE, LOST} else row(0.8)
            shown.append(float(settling.step(tick * TICK_S, situation, given_row)[0]))
    assert 0.0 <= min(shown) <= max(shown) <= np.float32(0.8) + 1e-6
    assert np.abs(np.diff(shown)).max(initial=0.0) < 0.25


@pytest.mark.parametrize("times", [{"decay_s": 0.0}, {"hold_s": -1.0}, {"return_s": -0.1}])
def test_a_policy_without_sense_is_refused(times: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="decay above 0"):
        Policy(Rest.DECAY, **times)
