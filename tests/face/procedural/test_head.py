import math
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from cstalk_bridge.face.procedural.cues import EMOTION_STYLES, Cues, CueTracker, Moment
from cstalk_bridge.face.procedural.eyes import Look
from cstalk_bridge.face.procedural.head import LIMIT_CM, LIMIT_DEG, Brows, Head
from cstalk_bridge.face.procedural.prosody import SILENCE, Prosody
from tests.face.procedural.conversation import silence, talk

AHEAD = Look(0.0, 0.0, is_mutual=True)
TICK_S = 1 / 50


def poses(
    head: Head, moments: list[Moment], look: Look = AHEAD, *, level: float = 1.0, idle: float = 0.0
) -> NDArray[np.float64]:
    return np.array([head.step(moment, look, level=level, idle=idle) for moment in moments], float)


def still(seconds: float, tick_s: float = TICK_S) -> list[Moment]:
    return [Moment(tick_s)] * round(seconds / tick_s)


def moments_of(prosodies: list[Prosody], tick_s: float = TICK_S) -> list[Moment]:
    tracker = CueTracker()
    return [replace(tracker.step(Cues(prosody), tick_s)) for prosody in prosodies]


def test_the_head_follows_a_far_look_after_70_to_150_ms_and_a_near_one_not_at_all() -> None:
    delays = []
    for seed in range(20):
        head = Head(Random(seed))
        poses(head, still(12.0))
        yaw = poses(head, still(2.0, 0.001), Look(20.0, 0.0, is_mutual=False))[:, 0]
        delays.append(np.argmax(yaw != yaw[0]) * 0.001)
        assert 0.06 < yaw[-1] < 0.2
    assert min(delays) >= 0.070
    assert max(delays) <= 0.152
    assert np.ptp(delays) > 0.03
    head = Head(Random(1))
    poses(head, still(30.0))
    near = poses(head, still(2.0), Look(6.0, 0.0, is_mutual=False))
    assert np.ptp(near[:, 0]) == 0.0


def test_without_idle_movement_a_silent_head_comes_to_rest() -> None:
    head = Head(Random(2))
    angles = poses(head, still(40.0))
    assert np.abs(np.diff(angles[-100:], axis=0)).max() < 1e-6


def test_a_stressed_syllable_makes_the_head_nod() -> None:
    depths = []
    for seed in range(10):
        head = Head(Random(seed))
        rest = poses(head, still(40.0))[-1]
        nod = poses(head, [Moment(TICK_S, stressed=1.0), *still(1.5)])[:, 1] - rest[1]
        depths.append(math.degrees(-nod.min()))
        assert 0.05 < np.argmin(nod) * TICK_S < 0.35
        assert abs(nod[-1]) < 0.1 * abs(nod.min())
    assert 0.5 < np.mean(depths) < 3.0


def test_the_head_rises_with_loudness_and_pitch() -> None:
    heights = []
    for prosody in (
        SILENCE,
        Prosody(level=0.05, pause_s=0.0, melody=0.0),
        Prosody(level=0.05, pause_s=0.0, melody=6.0),
        Prosody(level=0.09, pause_s=0.0, melody=6.0),
    ):
        head = Head(Random(3))
        heights.append(poses(head, [Moment(TICK_S, prosody, is_talking=True)] * 200)[-1, 1])
    assert np.all(np.diff(heights) > 0.0)


def test_a_talking_head_moves_with_its_voice() -> None:
    voice = list(talk(4, 300.0, TICK_S))
    angles = np.degrees(poses(Head(Random(4)), moments_of(voice))[:, :3])
    level = np.array([prosody.level for prosody in voice])
    speed = np.sqrt((np.diff(angles, axis=0) ** 2).sum(axis=1)) / TICK_S
    window = np.ones(10) / 10
    loudness, moved = np.convolve(level, window, "same"), np.convolve(speed, window, "same")
    together = [np.corrcoef(loudness[: -lag - 1], moved[lag:])[0, 1] for lag in range(26)]
    assert max(together) >= 0.4
    assert speed[level[1:] > 0].mean() > 1.5 * speed[level[1:] == 0].mean()


def test_a_listening_head_is_calmer_than_a_talking_one() -> None:
    moves = {}
    for name, voice in (("talk", talk(5, 240.0, TICK_S)), ("listen", silence(240.0, TICK_S))):
        angles = np.degrees(poses(Head(Random(5)), moments_of(list(voice)), idle=1.0)[:, :3])
        moves[name] = np.abs(np.diff(angles, axis=0)).mean() / TICK_S
    assert moves["listen"] > 0.1
    assert moves["talk"] > 2 * moves["listen"]


def test_an_emotion_changes_posture_slowly() -> None:
    head = Head(Random(6))
    rest = poses(head, still(30.0))[-1]
    sad = poses(head, [Moment(TICK_S, style=EMOTION_STYLES["sad"])] * 600)
    assert math.degrees(sad[-1, 1] - rest[1]) == pytest.approx(
        EMOTION_STYLES["sad"].pitch_deg, rel=0.1
    )
    assert sad[-1, 5] < rest[5]
    assert np.abs(np.diff(sad, axis=0)).max() < 0.01


def test_level_scales_the_head_and_no_level_turns_it_too_far() -> None:
    voice = moments_of(list(talk(7, 60.0, TICK_S)))
    once = poses(Head(Random(7)), voice, idle=1.0)
    none = poses(Head(Random(7)), voice, level=0.0, idle=1.0)
    twice = poses(Head(Random(7)), voice, level=2.0, idle=2.0)
    assert not none.any()
    assert np.abs(twice).mean() > 1.5 * np.abs(once).mean()
    wild = [
        Moment(0.1, Prosody(level=1.0, melody=99.0), style=EMOTION_STYLES["sad"], stressed=1.0)
    ] * 300
    far = Look(24.0, 12.0, is_mutual=False)
    limits = [*np.radians(LIMIT_DEG), *[LIMIT_CM] * 3]
    assert np.all(np.abs(poses(Head(Random(8)), wild, far, level=2.0, idle=2.0)) <= limits)


def test_a_silent_head_breathes_twelve_to_eighteen_times_a_minute() -> None:
    height = poses(Head(Random(9)), still(240.0), idle=1.0)[:, 4]
    middle = 0.5 * (height.min() + height.max())
    breaths = np.count_nonzero((height[1:] > middle) & (height[:-1] <= middle)) / 4
    assert 12 <= breaths <= 18


BROWS_TICK_S = 1 / 60


def test_brows_accent_some_strong_stresses_and_no_weak_ones() -> None:
    accents = 0
    for seed in range(200):
        brows = Brows(Random(seed))
        raised = [brows.step(Moment(BROWS_TICK_S, stressed=0.9))]
        raised += [brows.step(Moment(BROWS_TICK_S)) for _ in range(90)]
        accents += max(raised) > 0.05
        assert max(raised) < 0.4
        assert raised[-1] < 0.01
        assert np.abs(np.diff(raised)).max() < 0.06
    assert 0.5 < accents / 200 < 0.7
    brows = Brows(Random(1))
    assert not any(brows.step(Moment(BROWS_TICK_S, stressed=0.5)) for _ in range(100))


def test_brows_do_not_rise_on_every_syllable() -> None:
    brows = Brows(Random(2))
    angles = np.array([brows.step(Moment(BROWS_TICK_S, stressed=1.0)) for _ in range(3600)])
    peaks = np.flatnonzero((angles[1:-1] > angles[:-2]) & (angles[1:-1] >= angles[2:]))
    assert 20 < len(peaks) < 100
    assert angles.max() < 0.5
