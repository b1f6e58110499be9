from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from bridge.face.feeling import Feeling
from bridge.face.felt import Shares
from bridge.takes.emotions import EmotionCourse
from bridge.takes.felt import DIGITS, KEY_HOPS, felt_course
from models.mood.integrator import course
from models.mood.stream import hear
from models.timing import HOP_S
from tests.face.test_feeling import network
from tests.models.mood.conftest import voice

if TYPE_CHECKING:
    from models.mood.onnx_network import OnnxMoodNetwork

__all__ = ["network"]

AUTO = Shares(auto=1.0)


@pytest.mark.parametrize("piece", [16_000 * 6, 1000, 333])
def test_the_keys_follow_the_mood_however_the_sound_comes(
    network: OnnxMoodNetwork, piece: int
) -> None:
    sound = voice(6.0)
    pieces = [sound[i : i + piece] for i in range(0, len(sound), piece)]
    felt = felt_course(EmotionCourse(), AUTO, pieces, Feeling(network))
    at_s = np.arange(1, 12) * KEY_HOPS * HOP_S
    mood = course(hear(network, sound))[KEY_HOPS - 1 :: KEY_HOPS][: len(at_s)]
    # A key begins to move when its mood is known, and is there half a second later.
    np.testing.assert_allclose(
        felt.weights(at_s + KEY_HOPS * HOP_S), mood, atol=0.51 * 10**-DIGITS + 1e-3
    )
    assert mood.max() > 0.3


def test_what_is_chosen_stays_and_leaves_less_room(network: OnnxMoodNetwork) -> None:
    sound, times_s = voice(6.0), np.arange(300) * 0.02
    plain = felt_course(EmotionCourse(), AUTO, [sound], Feeling(network)).weights(times_s)
    happy = EmotionCourse.constant({"happy": 0.75})
    mixed = felt_course(happy, AUTO, [sound], Feeling(network)).weights(times_s)
    np.testing.assert_allclose(mixed[:, 1], 0.75 + 0.25 * plain[:, 1], atol=0.02)
    np.testing.assert_allclose(mixed[:, 3], 0.25 * plain[:, 3], atol=0.02)


def test_silence_has_no_keys_but_the_first(network: OnnxMoodNetwork) -> None:
    felt = felt_course(EmotionCourse(), AUTO, [np.zeros(160_000, np.float32)], Feeling(network))
    assert [key.at_s for key in felt.keys] == [0.0]
    assert not felt.weights(np.arange(10.0)).any()
