from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.face.emotion import EmotionState, EstimatedEmotion, VoiceWeights
from cstalk_bridge.face.emotion_estimator import EmotionEstimator
from cstalk_bridge.models.emotions import EMOTIONS, MAX_WEIGHT
from cstalk_bridge.models.speech_emotion.estimator import (
    HOPS_AT_ONCE,
    arousal_trajectory,
    emotion_trajectory,
    recording_evidence,
)
from cstalk_bridge.models.timing import HOP_SAMPLES
from tests.models.speech_emotion.conftest import voice

if TYPE_CHECKING:
    from cstalk_bridge.models.speech_emotion.weights import OnnxSpeechEmotionNetwork

HAPPY, SAD = EMOTIONS.index("happy"), EMOTIONS.index("sad")


def mix(**weights: float) -> np.ndarray:
    return np.array([weights.get(name, 0.0) for name in EMOTIONS], dtype=np.float32)


def test_a_live_mood_is_the_offline_one_a_tenth_of_a_second_later(
    network: OnnxSpeechEmotionNetwork,
) -> None:
    sound = voice(4.0)
    feeling = EmotionEstimator(network)
    live = [feeling.step(hop) for hop in sound.reshape(-1, HOP_SAMPLES)]
    offline = emotion_trajectory(recording_evidence(network, sound))
    assert offline.max() > 0.3
    moods = np.stack([estimate.weights for estimate in live])
    np.testing.assert_allclose(moods[HOPS_AT_ONCE:], offline[:-HOPS_AT_ONCE], atol=1e-4)
    assert not moods[:HOPS_AT_ONCE].any()
    arousal = [estimate.arousal for estimate in live]
    np.testing.assert_allclose(
        arousal[HOPS_AT_ONCE:], arousal_trajectory(sound)[:-HOPS_AT_ONCE], atol=1e-6
    )


def test_without_a_network_there_is_arousal_alone() -> None:
    sound = np.concatenate((0.1 * voice(10.0), voice(6.0, hz=220.0)))
    estimate = EmotionEstimator(None).process(sound)
    assert estimate[-1].arousal > 0.3
    assert not any(one.weights.any() for one in estimate)


def test_a_mood_fills_what_the_chosen_mix_leaves() -> None:
    estimate, voice_weights = EstimatedEmotion(mix(sad=0.8), 0.0), VoiceWeights(auto=1.0)
    np.testing.assert_allclose(estimate.blend(mix(), voice_weights), mix(sad=0.8))
    np.testing.assert_allclose(
        estimate.blend(mix(happy=0.5), voice_weights), mix(happy=0.5, sad=0.4)
    )
    np.testing.assert_allclose(estimate.blend(mix(happy=1.0), voice_weights), mix(happy=1.0))
    np.testing.assert_allclose(estimate.blend(mix(neutral=1.0), voice_weights), mix(neutral=1.0))
    np.testing.assert_allclose(estimate.blend(mix(), VoiceWeights(auto=0.5)), mix(sad=0.4))


def test_chosen_emotions_swell_with_arousal_and_stay_in_range() -> None:
    voice_weights = VoiceWeights(arousal=1.0)
    np.testing.assert_allclose(
        EstimatedEmotion(mix(), 0.5).blend(mix(happy=0.6), voice_weights), mix(happy=0.9), rtol=1e-6
    )
    np.testing.assert_allclose(
        EstimatedEmotion(mix(), -0.5).blend(mix(happy=0.6), voice_weights),
        mix(happy=0.3),
        rtol=1e-6,
    )
    assert EstimatedEmotion(mix(), 1.0).blend(mix(happy=1.2), voice_weights).max() == MAX_WEIGHT
    assert (
        EstimatedEmotion(mix(), -1.0).blend(mix(happy=1.2), VoiceWeights(arousal=1.5)).min() == 0.0
    )


def test_a_state_has_feelings_only_where_somebody_listens() -> None:
    state = EmotionState(mix(happy=0.5), voice_weights=VoiceWeights(auto=0.5))
    np.testing.assert_array_equal(state.at(0.0), mix(happy=0.5))
    state.estimate = EstimatedEmotion(mix(sad=0.8), 0.0)
    np.testing.assert_allclose(state.at(0.0), mix(happy=0.5, sad=0.2))
    state.change(mix(happy=1.0), 0.0, over_s=0.0)
    np.testing.assert_allclose(state.at(0.0), mix(happy=1.0))
