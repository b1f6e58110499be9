import math
from random import Random

import numpy as np
import pytest

from bridge.face.alive.cues import Moment
from bridge.face.alive.gaze import (
    FACE_DEG,
    HIGHEST_DEG,
    LISTENING,
    LOWEST_DEG,
    TALKING,
    WIDEST_DEG,
    Gaze,
    Habit,
    Look,
)
from bridge.face.alive.mood import MOODS, NEUTRAL, Mood
from bridge.face.alive.prosody import SILENCE, Prosody

TICK_S = 0.02


def looks(
    seed: int, minutes: float, *, is_talking: bool, mood: Mood = NEUTRAL
) -> list[tuple[Look, float]]:
    """What was looked at and for how long, without the first and the last; no phrase ever ends."""
    gaze = Gaze(Random(seed))
    prosody = Prosody(pause_s=0.0) if is_talking else SILENCE
    moment = Moment(TICK_S, prosody, is_talking=is_talking, mood=mood)
    seen: list[tuple[Look, float]] = []
    for _ in range(round(60 * minutes / TICK_S)):
        look = gaze.step(moment)
        held_s = seen[-1][1] if seen and seen[-1][0] is look else 0.0
        if held_s:
            seen.pop()
        seen.append((look, held_s + TICK_S))
    return seen[1:-1]


@pytest.mark.parametrize(("is_talking", "habit"), [(True, TALKING), (False, LISTENING)])
def test_looks_last_as_published(is_talking: bool, habit: Habit) -> None:
    seen = looks(1, 120.0, is_talking=is_talking)
    partner = [held_s for look, held_s in seen if look.is_mutual]
    away = [held_s for look, held_s in seen if not look.is_mutual]
    assert np.mean(partner) == pytest.approx(habit.partner_s, rel=0.1)
    assert np.mean(away) == pytest.approx(habit.away_s, rel=0.1)


def test_the_partner_gets_the_published_share_of_a_listener() -> None:
    seen = looks(2, 120.0, is_talking=False)
    mutual_s = sum(held_s for look, held_s in seen if look.is_mutual)
    assert mutual_s / sum(held_s for _, held_s in seen) == pytest.approx(0.75, abs=0.05)


def test_mutual_is_what_meets_the_partners_face_and_nothing_leaves_the_range_of_eyes() -> None:
    for look, _ in looks(3, 30.0, is_talking=True):
        assert look.is_mutual == (math.hypot(look.yaw_deg, look.pitch_deg) <= FACE_DEG)
        assert abs(look.yaw_deg) <= WIDEST_DEG
        assert LOWEST_DEG <= look.pitch_deg <= HIGHEST_DEG


def test_nine_of_ten_shifts_are_below_fifteen_degrees_and_go_along_the_axes() -> None:
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


def test_who_begins_to_talk_often_looks_away_and_who_ends_a_phrase_back() -> None:
    began = back = 0
    for seed in range(300):
        gaze = Gaze(Random(seed))
        prosody = Prosody(pause_s=0.0)
        began += not gaze.step(Moment(1e-3, prosody, is_talking=True, began=True)).is_mutual
        gaze.look = Look(10.0, 0.0, is_mutual=False)
        back += gaze.step(Moment(1e-3, prosody, is_talking=True, phrase_ended=True)).is_mutual
    assert 0.4 < began / 300 < 0.6
    assert 0.2 < back / 300 < 0.45


def test_who_turns_from_listening_to_talking_does_not_go_on_staring() -> None:
    holds = []
    for seed in range(200):
        gaze = Gaze(Random(seed))
        moment = Moment(TICK_S, Prosody(pause_s=0.0), is_talking=True)
        first = gaze.step(moment)
        ticks = 1
        while gaze.step(moment) is first:
            ticks += 1
        holds.append(ticks * TICK_S)
    assert np.mean(holds) < 3.4


def test_an_angry_face_looks_at_its_partner_longer_than_a_fearful_one() -> None:
    shares = {}
    for name in ("angry", "neutral", "fearful"):
        seen = looks(5, 60.0, is_talking=True, mood=MOODS[name])
        mutual_s = sum(held_s for look, held_s in seen if look.is_mutual)
        shares[name] = mutual_s / sum(held_s for _, held_s in seen)
    assert shares["angry"] > shares["neutral"] + 0.03
    assert shares["fearful"] < shares["neutral"] - 0.03
    low = [look.pitch_deg for look, _ in looks(6, 60.0, is_talking=True, mood=MOODS["sad"])]
    level = [look.pitch_deg for look, _ in looks(6, 60.0, is_talking=True)]
    assert np.mean(low) < np.mean(level) - 0.5
