from __future__ import annotations

import numpy as np
import pytest
import torch

from bridge.face.emotion import EmotionState
from bridge.face.feeling import Feeling
from bridge.face.felt import Felt, Shares
from models.emotions import EMOTIONS, MAX_WEIGHT
from models.mood.arousal import arousal_course
from models.mood.integrator import HOPS_AT_ONCE, course
from models.mood.network import MoodNetwork
from models.mood.onnx_network import OnnxMoodNetwork
from models.mood.sizes import Sizes
from models.mood.stream import hear
from models.timing import HOP_SAMPLES
from tests.models.mood.conftest import voice

SIZES = Sizes(8, (1, 2))
HAPPY, SAD = EMOTIONS.index("happy"), EMOTIONS.index("sad")


def mix(**weights: float) -> np.ndarray:
    return np.array([weights.get(name, 0.0) for name in EMOTIONS], dtype=np.float32)


@pytest.fixture(scope="module")
def network() -> OnnxMoodNetwork:
    """Untrained, and fond of anger, so that something shows."""
    torch.manual_seed(1)
    tensors = MoodNetwork(SIZES).tensors()
    tensors["head.bias"][EMOTIONS.index("angry")] = 4.0
    return OnnxMoodNetwork(SIZES, tensors)


def test_a_live_mood_is_the_offline_one_a_tenth_of_a_second_later(network: OnnxMoodNetwork) -> None:
    sound = voice(4.0)
    feeling = Feeling(network)
    live = [feeling.step(hop) for hop in sound.reshape(-1, HOP_SAMPLES)]
    offline = course(hear(network, sound))
    assert offline.max() > 0.3
    moods = np.stack([felt.mood for felt in live])
    np.testing.assert_allclose(moods[HOPS_AT_ONCE:], offline[:-HOPS_AT_ONCE], atol=1e-4)
    assert not moods[:HOPS_AT_ONCE].any()
    arousal = [felt.arousal for felt in live]
    np.testing.assert_allclose(
        arousal[HOPS_AT_ONCE:], arousal_course(sound)[:-HOPS_AT_ONCE], atol=1e-6
    )


def test_without_a_network_there_is_arousal_alone() -> None:
    sound = np.concatenate((0.1 * voice(10.0), voice(6.0, hz=220.0)))
    felt = Feeling(None).hear(sound)
    assert felt[-1].arousal > 0.3
    assert not any(one.mood.any() for one in felt)


def test_a_mood_fills_what_the_chosen_mix_leaves() -> None:
    felt, shares = Felt(mix(sad=0.8), 0.0), Shares(auto=1.0)
    np.testing.assert_allclose(felt.within(mix(), shares), mix(sad=0.8))
    np.testing.assert_allclose(felt.within(mix(happy=0.5), shares), mix(happy=0.5, sad=0.4))
    np.testing.assert_allclose(felt.within(mix(happy=1.0), shares), mix(happy=1.0))
    np.testing.assert_allclose(felt.within(mix(neutral=1.0), shares), mix(neutral=1.0))
    np.testing.assert_allclose(felt.within(mix(), Shares(auto=0.5)), mix(sad=0.4))


def test_chosen_emotions_swell_with_arousal_and_stay_in_range() -> None:
    shares = Shares(arousal=1.0)
    np.testing.assert_allclose(
        Felt(mix(), 0.5).within(mix(happy=0.6), shares), mix(happy=0.9), rtol=1e-6
    )
    np.testing.assert_allclose(
        Felt(mix(), -0.5).within(mix(happy=0.6), shares), mix(happy=0.3), rtol=1e-6
    )
    assert Felt(mix(), 1.0).within(mix(happy=1.2), shares).max() == MAX_WEIGHT
    assert Felt(mix(), -1.0).within(mix(happy=1.2), Shares(arousal=1.5)).min() == 0.0


def test_a_state_has_feelings_only_where_somebody_listens() -> None:
    state = EmotionState(mix(happy=0.5), shares=Shares(auto=0.5))
    np.testing.assert_array_equal(state.at(0.0), mix(happy=0.5))
    state.felt = Felt(mix(sad=0.8), 0.0)
    np.testing.assert_allclose(state.at(0.0), mix(happy=0.5, sad=0.2))
    state.change(mix(happy=1.0), 0.0, over_s=0.0)
    np.testing.assert_allclose(state.at(0.0), mix(happy=1.0))
