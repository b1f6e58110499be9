import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cstalk_bridge.face.procedural.cues import (
    EMOTION_STYLES,
    NEUTRAL_STYLE,
    Cues,
    CueTracker,
    EmotionStyle,
    Moment,
)
from cstalk_bridge.face.procedural.eyes import (
    HIGHEST_DEG,
    LISTENING,
    LOWEST_DEG,
    MICRO_MAX_DEG,
    TALKING,
    WIDEST_DEG,
    Blink,
    Eyes,
    Gaze,
    Habit,
    Look,
)
from cstalk_bridge.face.procedural.prosody import SILENCE, Prosody
from cstalk_bridge.models.metrics.curves import FACE_DEG
from tests.face.procedural.conversation import talk

TICK_S = 0.001


def closures(
    blink: Blink, seconds: float, moment: Moment, tick_s: float = TICK_S, *, level: float = 1.0
) -> NDArray[np.float64]:
    moment.elapsed_s = tick_s
    return np.array([blink.step(moment, level, 0.0) for _ in range(round(seconds / tick_s))])


def starts(values: NDArray[np.float64]) -> list[int]:
    return [int(at) for at in np.flatnonzero((values[1:] > 0.0) & (values[:-1] == 0.0))]


def talking() -> Moment:
    return Moment(is_talking=True, prosody=Prosody(pause_s=0.0))


def test_lids_close_fast_stay_closed_briefly_and_open_slowly() -> None:
    values = closures(Blink(Random(1)), 120.0, Moment())
    begins = starts(values)[:-1]
    assert len(begins) > 15
    for begin in begins:
        one = values[begin : begin + 600]
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


def test_no_lid_moves_more_than_two_fifths_in_a_tick_at_60_fps() -> None:
    values = closures(Blink(Random(2)), 300.0, talking(), 1 / 60)
    assert np.abs(np.diff(values)).max() < 0.45


def test_blink_rates_are_log_normal_over_characters() -> None:
    rates = []
    for seed in range(150):
        values = closures(Blink(Random(seed)), 180.0, Moment(), 1 / 20)
        rates.append(len(starts(values)) / 3.0)
    assert 11.0 <= np.median(rates) <= 20.0
    logs = np.log(rates)
    assert 0.25 <= logs.std() <= 0.6
    skew = np.mean(((logs - logs.mean()) / logs.std()) ** 3)
    assert abs(skew) < 0.6


def test_nine_characters_of_ten_blink_15_to_30_times_a_minute_in_talk() -> None:
    rates = []
    for seed in range(60):
        blink, tracker = Blink(Random(seed)), CueTracker()
        values = [
            blink.step(tracker.step(Cues(prosody), 1 / 30), 1.0, 0.0)
            for prosody in talk(seed, 120.0, 1 / 30)
        ]
        rates.append(len(starts(np.array(values))) / 2.0)
    in_range = [15.0 <= rate <= 30.0 for rate in rates]
    assert np.mean(in_range) >= 0.9
    assert max(rates) < 36.0


def test_the_end_of_a_phrase_triggers_a_blink() -> None:
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
        values = closures(blink, 0.3, moment, 1 / 60)
        brought += before == 0.0 and values.max() > 0.5
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


def test_blink_levels_go_from_off_to_twice_the_rate() -> None:
    assert not closures(Blink(Random(3)), 60.0, talking(), 1 / 60, level=0.0).any()
    once = len(starts(closures(Blink(Random(3)), 600.0, talking(), 1 / 60)))
    twice = len(starts(closures(Blink(Random(3)), 600.0, talking(), 1 / 60, level=2.0)))
    assert 1.6 < twice / once < 2.2


GAZE_TICK_S = 0.02


def looks(
    seed: int, minutes: float, *, is_talking: bool, style: EmotionStyle = NEUTRAL_STYLE
) -> list[tuple[Look, float]]:
    """Return looks with their durations, without the first and the last; no phrase ever ends."""
    gaze = Gaze(Random(seed))
    prosody = Prosody(pause_s=0.0) if is_talking else SILENCE
    moment = Moment(GAZE_TICK_S, prosody, is_talking=is_talking, style=style)
    seen: list[tuple[Look, float]] = []
    for _ in range(round(60 * minutes / GAZE_TICK_S)):
        look = gaze.step(moment)
        held_s = seen[-1][1] if seen and seen[-1][0] is look else 0.0
        if held_s:
            seen.pop()
        seen.append((look, held_s + GAZE_TICK_S))
    return seen[1:-1]


@pytest.mark.parametrize(("is_talking", "habit"), [(True, TALKING), (False, LISTENING)])
def test_look_durations_are_those_published(is_talking: bool, habit: Habit) -> None:
    seen = looks(1, 120.0, is_talking=is_talking)
    partner = [held_s for look, held_s in seen if look.is_mutual]
    away = [held_s for look, held_s in seen if not look.is_mutual]
    assert np.mean(partner) == pytest.approx(habit.partner_s, rel=0.1)
    assert np.mean(away) == pytest.approx(habit.away_s, rel=0.1)


def test_a_listener_looks_at_the_partner_for_the_published_proportion() -> None:
    seen = looks(2, 120.0, is_talking=False)
    mutual_s = sum(held_s for look, held_s in seen if look.is_mutual)
    assert mutual_s / sum(held_s for _, held_s in seen) == pytest.approx(0.75, abs=0.05)


def test_mutual_gaze_meets_the_face_of_the_partner_and_eyes_stay_in_range() -> None:
    for look, _ in looks(3, 30.0, is_talking=True):
        assert look.is_mutual == (math.hypot(look.yaw_deg, look.pitch_deg) <= FACE_DEG)
        assert abs(look.yaw_deg) <= WIDEST_DEG
        assert LOWEST_DEG <= look.pitch_deg <= HIGHEST_DEG


def test_nine_of_ten_shifts_are_below_fifteen_degrees_and_along_the_axes() -> None:
    seen = [look for look, _ in looks(4, 60.0, is_talking=True)]
    places = np.array([(look.yaw_deg, look.pitch_deg) for look in seen])
    steps = np.diff(places, axis=0)
    sizes = np.hypot(*steps.T)
    assert 0.86 <= np.mean(sizes < 15.0) <= 0.99
    drawn = steps[[not look.is_mutual for look in seen[1:]]]
    angles = np.degrees(np.arctan2(drawn[:, 1], drawn[:, 0])) % 90.0
    is_diagonal = (angles > 40.0) & (angles < 50.0)
    is_cardinal = (angles < 5.0) | (angles > 85.0)
    assert is_cardinal.sum() > 1.5 * is_diagonal.sum()


def test_a_speaker_looks_away_at_the_start_of_a_turn_and_back_at_its_end() -> None:
    began = back = 0
    for seed in range(300):
        gaze = Gaze(Random(seed))
        prosody = Prosody(pause_s=0.0)
        began += not gaze.step(Moment(1e-3, prosody, is_talking=True, began=True)).is_mutual
        gaze.look = Look(10.0, 0.0, is_mutual=False)
        back += gaze.step(Moment(1e-3, prosody, is_talking=True, phrase_ended=True)).is_mutual
    assert 0.4 < began / 300 < 0.6
    assert 0.2 < back / 300 < 0.45


def test_a_listener_who_starts_to_speak_does_not_keep_staring() -> None:
    holds = []
    for seed in range(200):
        gaze = Gaze(Random(seed))
        moment = Moment(GAZE_TICK_S, Prosody(pause_s=0.0), is_talking=True)
        first = gaze.step(moment)
        ticks = 1
        while gaze.step(moment) is first:
            ticks += 1
        holds.append(ticks * GAZE_TICK_S)
    assert np.mean(holds) < 3.4


def test_an_angry_face_looks_at_its_partner_longer_than_a_fearful_one() -> None:
    mutual_fraction = {}
    for name in ("angry", "neutral", "fearful"):
        seen = looks(5, 60.0, is_talking=True, style=EMOTION_STYLES[name])
        mutual_s = sum(held_s for look, held_s in seen if look.is_mutual)
        mutual_fraction[name] = mutual_s / sum(held_s for _, held_s in seen)
    assert mutual_fraction["angry"] > mutual_fraction["neutral"] + 0.03
    assert mutual_fraction["fearful"] < mutual_fraction["neutral"] - 0.03
    low = [
        look.pitch_deg for look, _ in looks(6, 60.0, is_talking=True, style=EMOTION_STYLES["sad"])
    ]
    level = [look.pitch_deg for look, _ in looks(6, 60.0, is_talking=True)]
    assert np.mean(low) < np.mean(level) - 0.5


AHEAD = Look(0.0, 0.0, is_mutual=True)


@settings(max_examples=50, deadline=None)
@given(st.floats(-24.0, 24.0), st.floats(-16.0, 12.0))
def test_the_duration_of_a_saccade_follows_its_amplitude(yaw_deg: float, pitch_deg: float) -> None:
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


def test_fixating_eyes_make_one_or_two_microsaccades_a_second_and_stay_near_the_target() -> None:
    eyes = Eyes(Random(2))
    steps = []
    for _ in range(round(300 / TICK_S)):
        eyes.step(AHEAD, TICK_S, 1.0)
        steps.append((eyes.yaw_deg, eyes.pitch_deg))
    values = np.array(steps)
    moving = np.hypot(*np.diff(values, axis=0).T) > 0.0
    count = np.count_nonzero(moving[1:] & ~moving[:-1])
    assert 1.0 <= count / 300 <= 2.0
    assert np.hypot(*values.T).max() <= MICRO_MAX_DEG / 2
    assert np.hypot(*values.T).mean() > 0.05


def test_without_idle_movement_fixating_eyes_are_still() -> None:
    eyes = Eyes(Random(3))
    for _ in range(2000):
        eyes.step(AHEAD, 0.01, 0.0)
        assert (eyes.yaw_deg, eyes.pitch_deg) == (0.0, 0.0)


def test_a_look_that_changes_during_a_saccade_does_not_make_the_eyes_jump() -> None:
    eyes = Eyes(Random(4))
    right, left = Look(-20.0, 0.0, is_mutual=False), Look(20.0, 0.0, is_mutual=False)
    values = []
    for tick in range(400):
        eyes.step(right if tick % 80 < 40 else left, TICK_S, 0.0)
        values.append(eyes.yaw_deg)
    assert np.abs(np.diff(values)).max() < 1.2
