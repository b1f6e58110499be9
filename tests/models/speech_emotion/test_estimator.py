"""However a voice is cut up, the evidence is the same."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.speech_emotion.estimator import (
    SHOWN,
    ArousalEstimator,
    EmotionEvidence,
    EmotionEvidenceStream,
    EmotionIntegrator,
    arousal_trajectory,
    emotion_trajectory,
    recording_evidence,
)
from cstalk_bridge.models.speech_emotion.features import PIECE_HOPS, VoiceFeatureExtractor
from cstalk_bridge.models.timing import HOP_SAMPLES
from tests.models.speech_emotion.conftest import SIZES, speech, voice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cstalk_bridge.models.speech_emotion.weights import OnnxSpeechEmotionNetwork


TOLERANCE = 1e-4


def heard_live(
    network: OnnxSpeechEmotionNetwork, sound: np.ndarray, hops: int
) -> Iterator[EmotionEvidence]:
    """Process so many hops at once, as they come."""
    extractor, stream, size = (
        VoiceFeatureExtractor(),
        EmotionEvidenceStream(network),
        hops * HOP_SAMPLES,
    )
    for start in range(0, len(sound), size):
        yield stream.step(extractor.process(sound[start : start + size]))


@pytest.mark.parametrize("hops", [1, 2, 5, 7, 40])
def test_hops_one_by_one_or_together_give_the_same_evidence(
    network: OnnxSpeechEmotionNetwork, hops: int
) -> None:
    sound = voice(5.6)
    whole, pieces = recording_evidence(network, sound), list(heard_live(network, sound, hops))
    odds = np.concatenate([piece.odds for piece in pieces])
    voicing = np.concatenate([piece.voicing for piece in pieces])
    np.testing.assert_allclose(odds, whole.odds, atol=TOLERANCE)
    np.testing.assert_allclose(voicing, whole.voicing, atol=TOLERANCE)
    assert whole.voicing.mean() > 0.4
    assert np.ptp(whole.odds, axis=0).min() > 10 * TOLERANCE


def test_recordings_longer_than_a_piece_are_processed_as_one(
    network: OnnxSpeechEmotionNetwork,
) -> None:
    sound = voice((PIECE_HOPS + 30) * 0.02)
    (whole,) = heard_live(network, sound, PIECE_HOPS + 30)
    np.testing.assert_allclose(whole.odds, recording_evidence(network, sound).odds, atol=TOLERANCE)


def test_a_new_voice_is_held_against_none_before_it(network: OnnxSpeechEmotionNetwork) -> None:
    first, again = heard_live(network, np.tile(voice(1.0), 2), 50)
    assert not np.allclose(again.odds, first.odds, atol=TOLERANCE)
    (another,) = heard_live(network, voice(1.0), 50)
    np.testing.assert_array_equal(another.odds, first.odds)


def test_two_voices_that_share_a_network_do_not_influence_each_other(
    network: OnnxSpeechEmotionNetwork,
) -> None:
    sounds = (speech()[: 150 * HOP_SAMPLES], voice(3.0))
    together = [*zip(*(heard_live(network, sound, 5) for sound in sounds), strict=True)]
    for sound, pieces in zip(sounds, zip(*together, strict=True), strict=True):
        alone = np.concatenate([piece.odds for piece in heard_live(network, sound, 5)])
        np.testing.assert_array_equal(np.concatenate([piece.odds for piece in pieces]), alone)


def test_nothing_after_a_hop_changes_it(network: OnnxSpeechEmotionNetwork) -> None:
    sound = voice(2.0)
    early = recording_evidence(network, sound[: 50 * HOP_SAMPLES])
    np.testing.assert_allclose(
        recording_evidence(network, sound).odds[:50], early.odds, atol=TOLERANCE
    )
    assert SIZES.past_hops < 50


@pytest.mark.parametrize(("samples", "hops"), [(0, 0), (1, 1), (320, 1), (321, 2)])
def test_a_begun_hop_is_a_row(network: OnnxSpeechEmotionNetwork, samples: int, hops: int) -> None:
    evidence = recording_evidence(network, np.zeros(samples, dtype=np.float32))
    assert evidence.odds.shape == (hops, len(EMOTIONS))
    assert evidence.voicing.shape == (hops,)


ANGRY = EMOTIONS.index("angry")
HOPS_A_SECOND = 50
FASTEST = 0.015
"""What a weight moves in a hop at most: in a second less than the whole way."""


def evidence_for(emotion: int, seconds: float, *, voicing: float = 1.0) -> EmotionEvidence:
    hops = round(seconds * HOPS_A_SECOND)
    odds = np.zeros((hops, len(EMOTIONS)), dtype=np.float32)
    odds[:, emotion] = 3.0
    return EmotionEvidence(odds, np.full(hops, voicing, dtype=np.float32))


def joined(*parts: EmotionEvidence) -> EmotionEvidence:
    return EmotionEvidence(
        np.concatenate([part.odds for part in parts]),
        np.concatenate([part.voicing for part in parts]),
    )


def test_an_emotion_needs_seconds_and_then_shows() -> None:
    shown = emotion_trajectory(evidence_for(ANGRY, 6.0))[:, ANGRY]
    assert shown[: HOPS_A_SECOND // 2].max() < 0.1
    assert shown[-1] > 0.9


def test_one_loud_word_makes_no_emotion() -> None:
    evidence = joined(evidence_for(0, 4.0), evidence_for(ANGRY, 0.3), evidence_for(0, 2.0))
    assert emotion_trajectory(evidence).max() < 0.2


def test_unvoiced_evidence_is_none() -> None:
    assert emotion_trajectory(evidence_for(ANGRY, 20.0, voicing=0.0)).max() == 0.0


def test_an_emotion_outlasts_a_pause_and_not_a_long_silence() -> None:
    angry, silence = evidence_for(ANGRY, 6.0), evidence_for(ANGRY, 120.0, voicing=0.0)
    shown = emotion_trajectory(joined(angry, silence))[:, ANGRY]
    assert shown[8 * HOPS_A_SECOND] > 0.8
    assert shown[-1] < 0.05


def test_a_change_of_emotion_takes_seconds() -> None:
    happy = EMOTIONS.index("happy")
    shown = emotion_trajectory(joined(evidence_for(ANGRY, 6.0), evidence_for(happy, 8.0)))
    assert shown[-1, happy] > 0.9
    assert shown[-1, ANGRY] < 0.05


@settings(max_examples=30, deadline=None)
@given(
    odds=arrays(np.float32, (200, len(EMOTIONS)), elements=st.floats(-20, 20, width=32)),
    voicing=arrays(np.float32, 200, elements=st.floats(0, 1, width=32)),
)
def test_weights_stay_in_range_and_never_jump(odds: np.ndarray, voicing: np.ndarray) -> None:
    shown = emotion_trajectory(EmotionEvidence(odds, voicing))
    assert shown.min() >= 0.0
    assert shown.max() <= 1.0
    assert shown.sum(1).max() <= 1.0 + 1e-6
    assert shown[:, SHOWN == 0.0].max() == 0.0
    assert np.abs(np.diff(shown, axis=0)).max() <= FASTEST


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_evidence_that_is_no_number_is_none(bad: float) -> None:
    odds = np.full((50, len(EMOTIONS)), bad, dtype=np.float32)
    weights = emotion_trajectory(EmotionEvidence(odds, np.ones(50, dtype=np.float32)))
    assert np.isfinite(weights).all()
    assert weights.max() == 0.0


def test_evidence_that_is_no_number_leaves_the_rest_as_it_is() -> None:
    angry, lost = evidence_for(ANGRY, 6.0), evidence_for(ANGRY, 0.02)
    lost.odds[:] = np.nan
    silent = evidence_for(ANGRY, 0.02, voicing=0.0)
    np.testing.assert_array_equal(
        emotion_trajectory(joined(angry, lost, angry)),
        emotion_trajectory(joined(angry, silent, angry)),
    )


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(1, 199), max_size=5))
def test_hops_taken_one_by_one_or_together_show_the_same(cuts: list[int]) -> None:
    random = np.random.default_rng(4)
    odds = random.normal(0.0, 3.0, (200, len(EMOTIONS))).astype(np.float32)
    evidence = EmotionEvidence(odds, random.random(200, dtype=np.float32))
    integrator = EmotionIntegrator()
    bounds = [0, *sorted(cuts), 200]
    pieces = [
        integrator.update(EmotionEvidence(evidence.odds[begin:end], evidence.voicing[begin:end]))
        for begin, end in itertools.pairwise(bounds)
    ]
    np.testing.assert_array_equal(np.concatenate(pieces), emotion_trajectory(evidence))


def arousal_of(*sounds: np.ndarray) -> np.ndarray:
    return arousal_trajectory(np.concatenate(sounds))


def test_a_steady_voice_is_not_aroused() -> None:
    assert np.abs(arousal_of(voice(30.0))).max() == 0.0


def test_louder_and_higher_is_aroused_and_softer_and_lower_is_not() -> None:
    baseline = 0.2 * voice(14.0, hz=160.0)
    assert arousal_of(baseline, 0.6 * voice(7.0, hz=210.0))[-1] > 0.2
    assert arousal_of(baseline, 0.08 * voice(7.0, hz=125.0))[-1] < -0.2


@pytest.mark.parametrize("gain_db", [-12.0, 12.0])
def test_the_gain_of_the_microphone_makes_no_difference(gain_db: float) -> None:
    sound = np.concatenate((0.05 * voice(10.0), 0.2 * voice(5.0, hz=200.0)))
    louder = sound * np.float32(10 ** (gain_db / 20))
    np.testing.assert_allclose(arousal_of(louder), arousal_of(sound), atol=0.02)


def test_hops_one_by_one_give_the_same_arousal() -> None:
    sound = np.concatenate((0.05 * voice(4.0), 0.2 * voice(2.0, hz=200.0))).astype(np.float32)
    extractor, arousal = VoiceFeatureExtractor(), ArousalEstimator()
    single = [arousal.step(extractor.process(hop))[0] for hop in sound.reshape(-1, HOP_SAMPLES)]
    np.testing.assert_allclose(single, arousal_of(sound), atol=1e-5)


def test_one_who_falls_silent_calms_down() -> None:
    aroused = (0.05 * voice(14.0), 0.3 * voice(7.0, hz=220.0))
    assert arousal_of(*aroused)[-1] > 0.2
    assert arousal_of(*aroused, np.zeros(16_000 * 40, np.float32))[-1] < 0.02


def test_a_new_voice_is_not_aroused_by_its_first_word() -> None:
    assert np.abs(arousal_of(voice(1.0, hz=300.0))).max() < 0.1


def test_it_moves_slowly() -> None:
    trajectory = arousal_of(0.05 * voice(14.0), 0.5 * voice(7.0, hz=250.0))
    assert np.abs(np.diff(trajectory)).max() < 0.06
