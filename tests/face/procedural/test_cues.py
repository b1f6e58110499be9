import math

import numpy as np
import pytest
from numpy.typing import NDArray

from cstalk_bridge.face.procedural.cues import (
    EMOTION_STYLES,
    NEUTRAL_STYLE,
    TURN_S,
    Cues,
    CueTracker,
    blend_styles,
)
from cstalk_bridge.face.procedural.prosody import SILENCE, Prosody
from cstalk_bridge.models.emotions import EMOTIONS


def weights(**mix: float) -> NDArray[np.float32]:
    return np.array([mix.get(name, 0.0) for name in EMOTIONS], dtype=np.float32)


def test_every_emotion_has_a_motion_style_and_neutral_has_none() -> None:
    assert set(EMOTION_STYLES) == set(EMOTIONS)
    assert EMOTION_STYLES["neutral"] == NEUTRAL_STYLE
    assert blend_styles(weights()) == NEUTRAL_STYLE
    assert blend_styles(weights(neutral=1.0)) == NEUTRAL_STYLE


def test_motion_styles_blend_by_weight_within_bounds() -> None:
    assert blend_styles(weights(sad=0.5)).pitch_deg == pytest.approx(
        0.5 * EMOTION_STYLES["sad"].pitch_deg
    )
    both = blend_styles(weights(happy=0.5, sad=0.5))
    assert both.directness == pytest.approx(
        0.5 * (EMOTION_STYLES["happy"].directness + EMOTION_STYLES["sad"].directness)
    )
    assert blend_styles(weights(sad=30.0)).pitch_deg == pytest.approx(
        1.5 * EMOTION_STYLES["sad"].pitch_deg
    )


def test_direct_gaze_is_of_anger_and_joy_averted_gaze_of_fear_and_sadness() -> None:
    for name in ("angry", "happy"):
        assert EMOTION_STYLES[name].directness > 0.0
    for name in ("fearful", "sad"):
        assert EMOTION_STYLES[name].directness < 0.0


def test_events_since_the_last_update_are_reported_once() -> None:
    tracker = CueTracker()
    moment = tracker.step(Cues(Prosody(pause_s=0.0, stress=0.8, stresses=1)), 0.01)
    assert (moment.stressed, moment.began, moment.phrase_ended) == (0.8, True, False)
    moment = tracker.step(Cues(Prosody(pause_s=0.0, stress=0.8, stresses=1)), 0.01)
    assert (moment.stressed, moment.began) == (0.0, False)
    moment = tracker.step(Cues(Prosody(pause_s=0.3, stress=0.8, stresses=3, phrases=1)), 0.01)
    assert (moment.stressed, moment.phrase_ended) == (0.8, True)


def test_counters_restarted_by_a_new_voice_cause_no_event() -> None:
    tracker = CueTracker()
    tracker.step(Cues(Prosody(pause_s=0.0, stress=0.9, stresses=50, phrases=9)), 0.01)
    moment = tracker.step(Cues(SILENCE), 0.01)
    assert (moment.stressed, moment.phrase_ended) == (0.0, False)
    assert tracker.step(Cues(Prosody(pause_s=0.0, stress=0.7, stresses=1)), 0.01).stressed == 0.7


def test_a_turn_lasts_through_short_pauses_and_ends_with_a_long_one() -> None:
    tracker = CueTracker()
    for pause_s, is_talking in ((math.inf, False), (0.0, True), (0.5, True), (TURN_S, False)):
        assert tracker.step(Cues(Prosody(pause_s=pause_s)), 0.01).is_talking is is_talking
