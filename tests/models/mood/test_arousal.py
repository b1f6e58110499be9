from __future__ import annotations

import numpy as np
import pytest

from models.mood.arousal import Arousal, arousal_course
from models.mood.features import VoiceEar
from models.timing import HOP_SAMPLES
from tests.models.mood.conftest import voice


def told(*sounds: np.ndarray) -> np.ndarray:
    return arousal_course(np.concatenate(sounds))


def test_a_steady_voice_is_not_aroused() -> None:
    assert np.abs(told(voice(30.0))).max() == 0.0


def test_louder_and_higher_is_aroused_and_softer_and_lower_is_not() -> None:
    usual = 0.2 * voice(14.0, hz=160.0)
    assert told(usual, 0.6 * voice(7.0, hz=210.0))[-1] > 0.2
    assert told(usual, 0.08 * voice(7.0, hz=125.0))[-1] < -0.2


@pytest.mark.parametrize("gain_db", [-12.0, 12.0])
def test_the_gain_of_the_microphone_makes_no_difference(gain_db: float) -> None:
    sound = np.concatenate((0.05 * voice(10.0), 0.2 * voice(5.0, hz=200.0)))
    louder = sound * np.float32(10 ** (gain_db / 20))
    np.testing.assert_allclose(told(louder), told(sound), atol=0.02)


def test_hops_one_by_one_tell_the_same() -> None:
    sound = np.concatenate((0.05 * voice(4.0), 0.2 * voice(2.0, hz=200.0)))
    ear, arousal = VoiceEar(), Arousal()
    single = [arousal.step(ear.hear(hop))[0] for hop in sound.reshape(-1, HOP_SAMPLES)]
    np.testing.assert_allclose(single, told(sound), atol=1e-5)


def test_one_who_falls_silent_calms_down() -> None:
    aroused = (0.05 * voice(14.0), 0.3 * voice(7.0, hz=220.0))
    assert told(*aroused)[-1] > 0.2
    assert told(*aroused, np.zeros(16_000 * 40, np.float32))[-1] < 0.02


def test_a_new_voice_is_not_aroused_by_its_first_word() -> None:
    assert np.abs(told(voice(1.0, hz=300.0))).max() < 0.1


def test_it_moves_slowly() -> None:
    course = told(0.05 * voice(14.0), 0.5 * voice(7.0, hz=250.0))
    assert np.abs(np.diff(course)).max() < 0.06
