from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.config.load import ConfigOverrides, subject_of
from cstalk_bridge.config.schema import SubjectConfig
from cstalk_bridge.face.emotion import (
    EmotionEstimator,
    EmotionState,
    EstimatedEmotion,
    Fade,
    VoiceWeights,
    check_face_settings,
    chosen_weights,
)
from cstalk_bridge.face.procedural.motion import ease
from cstalk_bridge.models.emotions import EMOTIONS, MAX_WEIGHT, MOUTH_GUARD
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.models.speech_emotion.estimator import (
    HOPS_AT_ONCE,
    arousal_trajectory,
    emotion_trajectory,
    recording_evidence,
)
from cstalk_bridge.models.timing import HOP_SAMPLES
from cstalk_bridge.settings.face import FaceSettings
from tests.models.speech_emotion.conftest import voice
from tests.networks import GUARDED, UNGUARDED, small_generator

if TYPE_CHECKING:
    from cstalk_bridge.models.speech_emotion.weights import OnnxSpeechEmotionNetwork


HAPPY, SAD = EMOTIONS.index("happy"), EMOTIONS.index("sad")


def mix(**weights: float) -> np.ndarray:
    return np.array([weights.get(name, 0.0) for name in EMOTIONS], dtype=np.float32)


def test_live_emotion_estimates_equal_offline_ones_a_tenth_of_a_second_later(
    network: OnnxSpeechEmotionNetwork,
) -> None:
    sound = voice(4.0)
    estimator = EmotionEstimator(network)
    live = [estimator.step(hop) for hop in sound.reshape(-1, HOP_SAMPLES)]
    offline = emotion_trajectory(recording_evidence(network, sound))
    assert offline.max() > 0.3
    estimates = np.stack([estimate.weights for estimate in live])
    np.testing.assert_allclose(estimates[HOPS_AT_ONCE:], offline[:-HOPS_AT_ONCE], atol=1e-4)
    assert not estimates[:HOPS_AT_ONCE].any()
    arousal = [estimate.arousal for estimate in live]
    np.testing.assert_allclose(
        arousal[HOPS_AT_ONCE:], arousal_trajectory(sound)[:-HOPS_AT_ONCE], atol=1e-6
    )


def test_without_a_network_there_is_arousal_alone() -> None:
    sound = np.concatenate((0.1 * voice(10.0), voice(6.0, hz=220.0)))
    estimate = EmotionEstimator(None).process(sound)
    assert estimate[-1].arousal > 0.3
    assert not any(one.weights.any() for one in estimate)


def test_the_estimated_emotion_fills_what_the_chosen_mix_leaves() -> None:
    estimate, voice_weights = EstimatedEmotion(mix(sad=0.8), 0.0), VoiceWeights(auto=1.0)
    np.testing.assert_allclose(estimate.blend(mix(), voice_weights), mix(sad=0.8))
    np.testing.assert_allclose(
        estimate.blend(mix(happy=0.5), voice_weights), mix(happy=0.5, sad=0.4)
    )
    np.testing.assert_allclose(estimate.blend(mix(happy=1.0), voice_weights), mix(happy=1.0))
    np.testing.assert_allclose(estimate.blend(mix(neutral=1.0), voice_weights), mix(neutral=1.0))
    np.testing.assert_allclose(estimate.blend(mix(), VoiceWeights(auto=0.5)), mix(sad=0.4))


def test_chosen_emotions_rise_with_arousal_and_stay_in_range() -> None:
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


def test_emotion_is_estimated_only_where_a_weight_needs_it() -> None:
    state = EmotionState(mix(happy=0.5), voice_weights=VoiceWeights(auto=0.5))
    np.testing.assert_array_equal(state.at(0.0), mix(happy=0.5))
    state.estimate = EstimatedEmotion(mix(sad=0.8), 0.0)
    np.testing.assert_allclose(state.at(0.0), mix(happy=0.5, sad=0.2))
    state.change(mix(happy=1.0), 0.0, over_s=0.0)
    np.testing.assert_allclose(state.at(0.0), mix(happy=1.0))


NEUTRAL = np.zeros(2, dtype=np.float32)
HAPPY_EMOTION = np.array([0.7, 0.0], dtype=np.float32)
SAD_EMOTION = np.array([0.0, 1.0], dtype=np.float32)


def test_a_fade_starts_ends_and_holds_at_its_values() -> None:
    fade = Fade(NEUTRAL, HAPPY_EMOTION, start_s=10.0, over_s=2.0)
    np.testing.assert_array_equal(fade.at(9.0), NEUTRAL)
    np.testing.assert_allclose(fade.at(11.0), HAPPY_EMOTION / 2)
    np.testing.assert_array_equal(fade.at(12.0), HAPPY_EMOTION)
    np.testing.assert_array_equal(fade.at(99.0), HAPPY_EMOTION)


def test_a_fade_of_no_duration_is_a_cut() -> None:
    cut = Fade(NEUTRAL, HAPPY_EMOTION, 10.0, 0.0)
    np.testing.assert_array_equal(cut.at(10.0), HAPPY_EMOTION)
    np.testing.assert_array_equal(cut.at(9.99), NEUTRAL)


def test_voice_weights_fade_in() -> None:
    state = EmotionState(NEUTRAL, transition_s=0.4)
    state.estimate = EstimatedEmotion(SAD_EMOTION, 0.0)
    state.change_voice_weights(VoiceWeights(auto=1.0), now_s=10.0)
    assert state.voice_weights == VoiceWeights(auto=1.0)
    np.testing.assert_array_equal(state.at(10.0), NEUTRAL)
    np.testing.assert_allclose(state.at(10.2), SAD_EMOTION / 2)
    np.testing.assert_array_equal(state.at(10.4), SAD_EMOTION)


def test_reversing_during_a_fade_does_not_pop() -> None:
    fade = Fade(NEUTRAL, HAPPY_EMOTION, start_s=0.0, over_s=1.0)
    turned = fade.redirect(SAD_EMOTION, now_s=0.4, over_s=1.0)
    np.testing.assert_allclose(turned.at(0.4), fade.at(0.4))
    np.testing.assert_array_equal(turned.at(1.4), SAD_EMOTION)


def test_a_changed_emotion_is_eased_in_over_the_set_transition() -> None:
    state = EmotionState(NEUTRAL, transition_s=0.4)
    np.testing.assert_array_equal(state.at(0.0), NEUTRAL)
    state.change(HAPPY_EMOTION, now_s=10.0)
    np.testing.assert_array_equal(state.at(10.0), NEUTRAL)
    np.testing.assert_allclose(state.at(10.2), HAPPY_EMOTION / 2)
    np.testing.assert_array_equal(state.at(10.4), HAPPY_EMOTION)
    state.change(SAD_EMOTION, now_s=11.0, over_s=0.0)
    np.testing.assert_array_equal(state.at(11.0), SAD_EMOTION)


def test_a_changed_guard_is_eased_in_beside_the_emotion() -> None:
    state = EmotionState(HAPPY_EMOTION, mouth_guard=0.2, transition_s=0.4)
    assert state.guard_at(5.0) == pytest.approx(0.2)
    state.change_guard(0.8, now_s=10.0)
    assert [state.guard_at(s) for s in (10.0, 10.2, 10.4)] == pytest.approx([0.2, 0.5, 0.8])
    state.change_guard(0.0, now_s=11.0, over_s=0.0)
    assert state.guard_at(11.0) == 0.0
    np.testing.assert_array_equal(state.at(11.0), HAPPY_EMOTION)


WEIGHT = st.floats(0, 1.5, width=32)


@given(WEIGHT, WEIGHT, st.floats(0, 1e5), st.floats(0.05, 60), st.integers(24, 500))
def test_a_weight_goes_one_way_and_never_beyond_its_end(
    start: float, end: float, start_s: float, over_s: float, rate_hz: int
) -> None:
    fade = Fade(np.array([start], np.float32), np.array([end], np.float32), start_s, over_s)
    ticks = start_s + np.arange(-2, round(min(over_s, 4.0) * rate_hz) + 2) / rate_hz
    trajectory = np.array([fade.at(now_s)[0] for now_s in ticks])
    steps = np.diff(trajectory) * (1.0 if end >= start else -1.0)
    assert steps.min() >= 0.0
    assert min(start, end) <= trajectory.min() <= trajectory.max() <= max(start, end)


@given(st.floats(-2, 3), st.floats(-2, 3))
def test_easing_is_monotonic_and_in_range(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0.0 <= ease(low) <= ease(high) <= 1.0


@pytest.mark.parametrize(
    ("emotion", "mix", "voice_weights"),
    [
        ("auto", {}, VoiceWeights(auto=1.0)),
        ("auto:0.5, happy:0.3", {"happy": 0.3}, VoiceWeights(auto=0.5)),
        ({"happy": 0.7, "arousal": 1.0}, {"happy": 0.7}, VoiceWeights(arousal=1.0)),
        ("happy", {"happy": 1.0}, VoiceWeights()),
        (None, {}, VoiceWeights()),
    ],
)
def test_the_mix_accepts_auto_and_arousal(
    emotion: object, mix: dict[str, float], voice_weights: VoiceWeights
) -> None:
    read = SubjectConfig.model_validate({"emotion": emotion}).emotion
    assert chosen_weights(read) == mix
    assert VoiceWeights.of(read) == voice_weights
    assert VoiceWeights.of(read).is_active == (voice_weights != VoiceWeights())


def test_unknown_names_are_reported_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"no emotion 'joy'; use neutral, .*, auto, arousal"):
        subject_of(ConfigOverrides(emotion="joy:1"))


def test_keyframes_accept_emotions_only() -> None:
    with pytest.raises(ValueError, match="no emotion 'auto'"):
        SubjectConfig.model_validate({"emotions": [{"at_s": 0, "emotion": "auto"}]})


def guards(**of: float) -> dict[str, FaceSettings]:
    return {name: FaceSettings(mouth_guard=guard) for name, guard in of.items()}


def test_every_mouth_guard_unknown_to_the_weights_is_reported_where_it_is_set() -> None:
    generator = small_generator(UNGUARDED)
    check_face_settings(generator, {"A: mouth_guard": FaceSettings()})
    with pytest.raises(UserError) as caught:
        check_face_settings(generator, guards(A=0.1, B=MOUTH_GUARD, C=0.9))
    assert [problem.where for problem in caught.value.problems] == ["A", "C"]
    assert "trained without" in str(caught.value.problems[0])


def test_weights_with_mouth_guard_accept_any_value() -> None:
    check_face_settings(small_generator(GUARDED), guards(A=0.0, B=1.0))
