from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.face.alive.blink import Blink
from bridge.face.alive.cues import Moment
from bridge.face.alive.prosody import Prosody

TICK_S = 0.001


def closures(
    blink: Blink, seconds: float, moment: Moment, tick_s: float = TICK_S, *, level: float = 1.0
) -> NDArray[np.float64]:
    moment.elapsed_s = tick_s
    return np.array([blink.step(moment, level, 0.0) for _ in range(round(seconds / tick_s))])


def starts(course: NDArray[np.float64]) -> list[int]:
    return [int(at) for at in np.flatnonzero((course[1:] > 0.0) & (course[:-1] == 0.0))]


def talking() -> Moment:
    return Moment(is_talking=True, prosody=Prosody(pause_s=0.0))


def test_lids_shut_fast_rest_briefly_and_open_slowly() -> None:
    course = closures(Blink(Random(1)), 120.0, Moment())
    begins = starts(course)[:-1]
    assert len(begins) > 15
    for begin in begins:
        one = course[begin : begin + 600]
        top = one.max()
        shut = int(np.argmax(one == top))
        leaves = int(np.flatnonzero(one == top)[-1])
        open_again = int(np.argmax(one[leaves:] == 0.0)) + leaves
        assert 0.9 <= top <= 1.0
        assert 70 <= shut <= 110
        assert 10 <= leaves - shut <= 50
        assert 150 <= open_again - leaves <= 300
        assert np.all(np.diff(one[: shut + 1]) >= 0.0)
        assert np.all(np.diff(one[leaves : open_again + 1]) <= 0.0)


def test_no_lid_moves_more_than_four_tenths_in_a_tick_of_a_sixtieth() -> None:
    course = closures(Blink(Random(2)), 300.0, talking(), 1 / 60)
    assert np.abs(np.diff(course)).max() < 0.45


def test_the_rate_is_log_normal_over_characters() -> None:
    rates = []
    for seed in range(150):
        course = closures(Blink(Random(seed)), 180.0, Moment(), 1 / 20)
        rates.append(len(starts(course)) / 3.0)
    assert 11.0 <= np.median(rates) <= 20.0
    logs = np.log(rates)
    assert 0.25 <= logs.std() <= 0.6
    skew = np.mean(((logs - logs.mean()) / logs.std()) ** 3)
    assert abs(skew) < 0.6


def test_the_end_of_a_phrase_brings_a_blink() -> None:
    brought = 0
    for seed in range(200):
        blink = Blink(Random(seed))
        closures(blink, 1.0, talking(), 1 / 60)
        moment = talking()
        moment.elapsed_s = 1 / 60
        moment.phrase_ended = True
        before = blink.closure
        blink.step(moment, 1.0, 0.0)
        moment.phrase_ended = False
        course = closures(blink, 0.3, moment, 1 / 60)
        brought += before == 0.0 and course.max() > 0.5
    assert 0.4 < brought / 200 < 0.9


@pytest.mark.parametrize(("shift_deg", "least", "most"), [(40.0, 0.9, 1.0), (5.0, 0.0, 0.06)])
def test_far_gaze_shifts_carry_a_blink_and_near_ones_do_not(
    shift_deg: float, least: float, most: float
) -> None:
    carried = free = 0
    for seed in range(200):
        blink = Blink(Random(seed))
        closures(blink, 2.0, Moment(), 1 / 60)
        if closures(blink, 0.5, Moment(), 1 / 60).any():
            continue
        free += 1
        blink.step(Moment(elapsed_s=1 / 60), 1.0, shift_deg)
        carried += closures(blink, 0.1, Moment(), 1 / 60).max() > 0.5
    assert free > 100
    assert least <= carried / free <= most


def test_blinks_can_be_off_and_twice_as_often() -> None:
    assert not closures(Blink(Random(3)), 60.0, talking(), 1 / 60, level=0.0).any()
    once = len(starts(closures(Blink(Random(3)), 600.0, talking(), 1 / 60)))
    twice = len(starts(closures(Blink(Random(3)), 600.0, talking(), 1 / 60, level=2.0)))
    assert 1.6 < twice / once < 2.2
