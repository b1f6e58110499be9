"""Gestures, tone, asymmetry and small motion of a face, and lips that close in silence."""

from collections.abc import Iterable
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from cstalk_bridge.face.procedural.animation import Levels, ProceduralAnimation
from cstalk_bridge.face.procedural.cues import Cues, CueTracker
from cstalk_bridge.face.procedural.muscles import (
    CLOSES_AFTER_S,
    CLOSING_S,
    GAIN_COUNT,
    GROUP_NAMES,
    IN_EMOTION,
    MOST_CLOSED,
    MOST_SHIFT,
    OPENING_S,
    SMALL_NAMES,
    Asymmetry,
    Emphasis,
    MuscleTone,
    RestingLips,
    SmallMotion,
    shifted_channels,
)
from cstalk_bridge.face.procedural.prosody import SILENCE, Prosody
from cstalk_bridge.models.board import CHANNEL_INDEX, CHANNELS
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.rig.curves import neutral_board
from tests.face.procedural.conversation import TICK_S, silence, talk

NEUTRAL = np.zeros(len(EMOTIONS), dtype=np.float32)
SIDED = [c for c in CHANNELS if c.side == "L" and shifted_channels()[:GAIN_COUNT, c.index].any()]


def shifts(
    voice: Iterable[Prosody],
    seed: int = 1,
    emotion: NDArray[np.float32] = NEUTRAL,
    level: float = 1.0,
) -> NDArray[np.float64]:
    emphasis, tracker, rows = Emphasis(Random(seed)), CueTracker(), []
    for prosody in voice:
        emphasis.step(tracker.step(Cues(prosody, emotion), TICK_S), level)
        rows.append(emphasis.shifts)
    return np.array(rows)


def test_speech_moves_every_group_and_silence_none() -> None:
    lives = [shifts(talk(seed, 60.0), seed) for seed in range(4)]
    moved = np.concatenate(lives)
    spread = dict(zip(GROUP_NAMES, moved.std(0), strict=True))
    for name, value in spread.items():
        assert value > 0.008, name
    assert np.all(np.abs(moved).max(0) <= MOST_SHIFT)
    assert max(np.abs(np.diff(life, axis=0)).max() for life in lives) < 0.06
    assert not shifts(silence(5.0)).any()


def test_a_gesture_follows_its_stress() -> None:
    voice = [Prosody(pause_s=0.0, level=0.5, stresses=int(tick >= 60), stress=0.9) for tick in
             range(180)]  # fmt: skip
    flat = [Prosody(pause_s=0.0, level=0.5)] * 180
    changes = [np.abs(shifts(voice, seed) - shifts(flat, seed)).max(1) for seed in range(12)]
    found = [change for change in changes if change.max() > 0.03]
    assert len(found) >= 5
    for change in found:
        assert not change[:60].any()
        assert 0.1 <= (int(change.argmax()) - 60) * TICK_S <= 0.6


def test_a_pause_lets_the_face_rest() -> None:
    voice = [*talk(3, 10.0), *[Prosody(pause_s=tick * TICK_S) for tick in range(1, 240)]]
    assert np.abs(shifts(voice)[-1]).max() < 1e-3


def test_an_emotion_keeps_its_face_and_a_level_of_zero_all() -> None:
    angry = NEUTRAL.copy()
    angry[EMOTIONS.index("angry")] = 1.0
    plain, acted = shifts(talk(4, 60.0)), shifts(talk(4, 60.0), emotion=angry)
    np.testing.assert_allclose(acted, IN_EMOTION * plain)
    assert IN_EMOTION.max() <= 0.3
    assert not shifts(talk(4, 10.0), level=0.0).any()
    np.testing.assert_allclose(shifts(talk(4, 10.0), level=2.0), 2 * shifts(talk(4, 10.0)))


def faces(seed: int, seconds: float, levels: Levels | None = None) -> NDArray[np.float32]:
    animation = ProceduralAnimation(seed, levels)
    board = neutral_board()
    return np.array(
        [
            animation.frame(tick * TICK_S, Cues(prosody), board).board
            for tick, prosody in enumerate(silence(seconds))
        ]
    )


def test_nothing_that_moves_stays_at_zero_in_twenty_seconds_of_silence() -> None:
    moved = [c.index for c in CHANNELS if shifted_channels()[:, c.index].any()]
    assert len(moved) >= 35
    shown = faces(5, 20.0)
    assert np.abs(shown[:, moved]).max(0).min() > 1e-3
    assert np.ptp(shown[:, moved], axis=0).min() > 1e-3
    rest = shown[:, CHANNEL_INDEX["CTRL_C_jaw.ty"]]
    assert not rest.any()


def test_tone_is_positive_and_slow() -> None:
    tone, rows = MuscleTone(Random(2)), []
    for _ in range(round(120 / TICK_S)):
        tone.step(TICK_S, 1.0)
        rows.append(tone.shifts)
    values = np.array(rows)
    assert values.min() > 0.0
    assert 0.003 < values.mean() < 0.05
    assert np.abs(np.diff(values, axis=0)).max() < 0.004


def test_the_halves_of_a_face_differ_a_little_on_a_side_of_its_own() -> None:
    sides = []
    for seed in range(12):
        shown = faces(seed, 10.0).mean(0)
        differences = np.array([shown[c.index] - shown[CHANNEL_INDEX[c.mirror]] for c in SIDED])
        assert 0.001 < np.abs(differences).mean() < 0.02
        sides.append(np.sign(differences.sum()))
    assert {-1.0, 1.0} == set(sides)
    even = faces(3, 3.0, Levels(asymmetry=0.0))
    for channel in SIDED:
        np.testing.assert_array_equal(
            even[:, channel.index], even[:, CHANNEL_INDEX[channel.mirror]]
        )


def test_asymmetry_lasts_and_drifts() -> None:
    asymmetry = Asymmetry(Random(8))
    values = np.array([asymmetry.step(TICK_S, 1.0) for _ in range(round(300 / TICK_S))])
    assert np.mean(np.sign(values.mean(0)) == asymmetry.side) >= 0.5
    assert 0.05 < values.std(0).mean() < 0.25
    assert np.abs(np.diff(values, axis=0)).max() < 0.02


def test_lips_are_pressed_and_chins_raised_only_between_words() -> None:
    quiet = [SMALL_NAMES.index(name) for name in ("press", "shrug", "puff", "purse", "funnel")]
    small, tracker = SmallMotion(Random(4)), CueTracker()
    speaking_s, rows = 0.0, []
    for prosody in talk(4, 60.0):
        small.step(tracker.step(Cues(prosody), TICK_S), 1.0)
        speaking_s = speaking_s + TICK_S if prosody.is_speaking else 0.0
        if speaking_s > 1.0:
            assert np.abs(small.shifts[quiet]).max() < 2e-3
        rows.append(small.shifts)
    ways = [SMALL_NAMES.index(name) for name in ("jaw_forward", "jaw_side", "mouth_side")]
    spread = np.array(rows)[:, ways].std(0)
    assert np.all((spread > 0.005) & (spread < 0.05))


def closing(emotion: dict[str, float], level: float = 1.0) -> NDArray[np.float64]:
    """Closing over a second of silence, a second of speech and two of silence."""
    mix = np.array([emotion.get(name, 0.0) for name in EMOTIONS], dtype=np.float32)
    lips, tracker = RestingLips(), CueTracker()
    pauses = [Prosody(pause_s=tick * TICK_S) for tick in range(1, 121)]
    voice = [*[SILENCE] * 60, *[Prosody(pause_s=0.0, level=0.5)] * 60, *pauses]
    return np.array(
        [lips.step(tracker.step(Cues(prosody, mix), TICK_S), level) for prosody in voice]
    )


def test_lips_close_in_silence_and_open_with_the_voice() -> None:
    shares = closing({"happy": 1.0})
    assert shares[59] == MOST_CLOSED
    assert not shares[60 + round(OPENING_S / TICK_S) : 120 + 15].any()
    assert shares[120 + round((CLOSES_AFTER_S + CLOSING_S) / TICK_S) + 1 :] == pytest.approx(
        MOST_CLOSED
    )
    assert np.diff(shares[120:]).min() >= 0.0


@pytest.mark.parametrize("mix", [{}, {"neutral": 1.0}, {"surprised": 1.0}, {"sad": 1.0}])
def test_lips_of_other_faces_are_left_alone(mix: dict[str, float]) -> None:
    assert not closing(mix).any()
    assert not closing({"happy": 1.0}, level=0.0).any()
