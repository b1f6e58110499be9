import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.face.alive.mood import MOODS, NEUTRAL, blend
from models.emotions import EMOTIONS


def weights(**mix: float) -> NDArray[np.float32]:
    return np.array([mix.get(name, 0.0) for name in EMOTIONS], dtype=np.float32)


def test_every_emotion_has_a_mood_and_neutral_has_none() -> None:
    assert set(MOODS) == set(EMOTIONS)
    assert MOODS["neutral"] == NEUTRAL
    assert blend(weights()) == NEUTRAL
    assert blend(weights(neutral=1.0)) == NEUTRAL


def test_moods_blend_by_weight_and_have_an_end() -> None:
    assert blend(weights(sad=0.5)).pitch_deg == pytest.approx(0.5 * MOODS["sad"].pitch_deg)
    both = blend(weights(happy=0.5, sad=0.5))
    assert both.directness == pytest.approx(
        0.5 * (MOODS["happy"].directness + MOODS["sad"].directness)
    )
    assert blend(weights(sad=30.0)).pitch_deg == pytest.approx(1.5 * MOODS["sad"].pitch_deg)


def test_direct_gaze_is_of_anger_and_joy_averted_gaze_of_fear_and_sadness() -> None:
    for name in ("angry", "happy"):
        assert MOODS[name].directness > 0.0
    for name in ("fearful", "sad"):
        assert MOODS[name].directness < 0.0
