from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cstalk_bridge.models.cstalk.network import LogMel
from cstalk_bridge.models.features import BANDS
from cstalk_bridge.models.speech_emotion.features import (
    CHANGES,
    HIGHEST_HZ,
    HISTORY_SAMPLES,
    LEVEL,
    LOWEST_HZ,
    MEMORY_HOPS,
    MOTIONS,
    PITCH,
    PITCH_GAIN,
    PITCH_SAMPLES,
    PITCHES,
    PRIOR_HOPS,
    TRAITS,
    SpeakerBaseline,
    VoiceFeatureExtractor,
    VoiceFeatures,
    network_inputs,
    recording_features,
    voice_features,
)
from cstalk_bridge.models.speech_emotion.weights import INPUTS
from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ
from tests.models.speech_emotion.conftest import speech, voice

HOPS = 40


def features_of(sound: np.ndarray) -> VoiceFeatures:
    return voice_features(sound[: HISTORY_SAMPLES + HOPS * HOP_SAMPLES])


def buzz(hz: float) -> np.ndarray:
    times_s = np.arange(HISTORY_SAMPLES + HOPS * HOP_SAMPLES) / 16_000
    waves = [np.sin(2 * np.pi * k * hz * times_s) / k for k in range(1, 12)]
    return (0.1 * np.sum(waves, 0)).astype(np.float32)


def test_shapes_are_those_promised() -> None:
    traits, motions, voicing = features_of(voice(2.0))
    assert traits.shape == (HOPS, TRAITS)
    assert motions.shape == (HOPS, MOTIONS)
    assert voicing.shape == (HOPS,)
    assert {part.dtype for part in (traits, motions, voicing)} == {np.dtype(np.float32)}


@settings(max_examples=20, deadline=None)
@given(hz=st.floats(85.0, 400.0))
def test_pitch_is_that_of_the_voice_within_a_step(hz: float) -> None:
    octaves, octave_lower = (features_of(buzz(one)).traits[:, PITCH] for one in (hz, 200.0))
    assert float(np.median(octaves) - np.median(octave_lower)) == pytest.approx(
        np.log2(hz / 200.0), abs=0.09
    )


@pytest.mark.parametrize("gain_db", [-12.0, 12.0])
def test_gain_changes_the_level_and_hardly_anything_else(gain_db: float) -> None:
    room = 0.003 * np.random.default_rng(3).standard_normal(32_000)
    sound = (0.2 * voice(2.0) + room).astype(np.float32)
    traits, motions, voicing = features_of(sound)
    changed, moved, voiced = features_of(sound * np.float32(10 ** (gain_db / 20)))
    np.testing.assert_allclose(changed[:, :BANDS], traits[:, :BANDS], atol=0.1)
    np.testing.assert_allclose(moved, motions, atol=0.1)
    np.testing.assert_allclose(voiced, voicing, atol=0.01)
    rise = (changed - traits)[:, LEVEL]
    assert float(rise.mean()) == pytest.approx(gain_db / 10 * np.log(10) / 4, abs=0.01)


def test_noise_and_silence_are_no_voice() -> None:
    random = np.random.default_rng(2)
    noise = 0.1 * random.standard_normal(HISTORY_SAMPLES + HOPS * HOP_SAMPLES)
    assert float(features_of(noise.astype(np.float32)).voicing.max()) < 0.2
    assert float(features_of(np.zeros(20_000, np.float32)).voicing.max()) == 0.0


def test_a_hop_depends_on_nothing_after_itself() -> None:
    sound = voice(2.0)
    other = sound.copy()
    other[HISTORY_SAMPLES + 20 * HOP_SAMPLES :] *= -0.5
    for one, two in zip(features_of(sound), features_of(other), strict=True):
        np.testing.assert_array_equal(one[:20], two[:20])
        assert not np.array_equal(one[20:], two[20:])


def test_timbre_and_level_are_those_of_the_log_mel_of_training() -> None:
    sound = speech()[: HISTORY_SAMPLES + 200 * HOP_SAMPLES]
    traits, motions, _ = voice_features(sound)
    frames = LogMel()(torch.from_numpy(sound)[None])[0].T.reshape(-1, BANDS).numpy()
    first, second, before = frames[2::2], frames[3::2], frames[:-2:2]
    bands, levels = 0.5 * (first + second), frames.mean(1)
    np.testing.assert_allclose(traits[:, LEVEL], bands.mean(1), atol=1e-4)
    np.testing.assert_allclose(traits[:, :BANDS], bands - bands.mean(1)[:, None], atol=1e-4)
    steps = (
        levels[2::2] - levels[1:-1:2],
        second.mean(1) - first.mean(1),
        first.mean(1) - before.mean(1),
    )
    np.testing.assert_allclose(motions[:, :CHANGES], np.stack(steps, 1), atol=1e-4)


def test_melody_is_the_normalised_square_difference_as_it_is_defined() -> None:
    """1 minus the squared difference of a frame and its copy, against the squares they have."""
    sound = speech()
    motions = voice_features(sound[: HISTORY_SAMPLES + 150 * HOP_SAMPLES]).motions
    pitches = np.linspace(np.log2(HIGHEST_HZ), np.log2(LOWEST_HZ), PITCHES)
    lags = SAMPLE_RATE_HZ / 2.0**pitches
    for hop in range(20, 150, 7):
        end = HISTORY_SAMPLES + (hop + 1) * HOP_SAMPLES
        frame = sound[end - PITCH_SAMPLES : end].astype(np.float64)
        frame -= frame.mean()
        exact = [_likeness(frame, lag) for lag in range(int(lags[-1]) + 2)]
        np.testing.assert_allclose(
            motions[hop, CHANGES:], np.interp(lags, np.arange(len(exact)), exact), atol=1e-4
        )


def _likeness(frame: np.ndarray, lag: int) -> float:
    one, two = frame[: len(frame) - lag], frame[lag:]
    return float(1.0 - ((one - two) ** 2).sum() / (one**2 + two**2).sum())


@pytest.mark.parametrize("hops", [1, 5, 7])
def test_a_streamed_voice_gives_the_features_of_the_recording(hops: int) -> None:
    sound = speech()[: 210 * HOP_SAMPLES]
    extractor, size = VoiceFeatureExtractor(), hops * HOP_SAMPLES
    pieces = [extractor.process(sound[i : i + size]) for i in range(0, len(sound), size)]
    (whole,) = recording_features(sound)
    for live, offline in zip(zip(*pieces, strict=True), whole, strict=True):
        np.testing.assert_allclose(np.concatenate(live), offline, atol=1e-5)


RANDOM = np.random.default_rng(8)
AVERAGE = RANDOM.standard_normal(TRAITS).astype(np.float32)


def some(hops: int, voicing: float | np.ndarray) -> VoiceFeatures:
    """Features of a voice that stays as it is, but for some chance."""
    mean = np.linspace(-1.0, 1.0, TRAITS)
    traits = mean + 0.1 * RANDOM.standard_normal((hops, TRAITS))
    motions = RANDOM.standard_normal((hops, MOTIONS))
    voiced = np.broadcast_to(voicing, hops)
    return VoiceFeatures(*(part.astype(np.float32) for part in (traits, motions, voiced)))


def test_a_silent_voice_is_held_against_the_average_and_its_own_level() -> None:
    voice_features = some(30, 0.0)
    differences = SpeakerBaseline(AVERAGE).update(voice_features)
    expected = voice_features.traits - AVERAGE
    expected[:, LEVEL] = 0.0
    np.testing.assert_allclose(differences, expected, atol=1e-6)


def test_a_voice_is_held_against_what_it_was_and_the_average_that_came_first() -> None:
    voice_features = some(60, RANDOM.random(60))
    differences = SpeakerBaseline(AVERAGE).update(voice_features)
    sums, hops = np.zeros(TRAITS), 0.0
    for traits, voicing, difference in zip(
        voice_features.traits, voice_features.voicing, differences, strict=True
    ):
        keep = 1.0 - voicing / MEMORY_HOPS
        sums, hops = keep * sums + voicing * traits, keep * hops + voicing
        baseline = (sums + PRIOR_HOPS * AVERAGE) / (hops + PRIOR_HOPS)
        baseline[LEVEL] = sums[LEVEL] / hops
        np.testing.assert_allclose(difference, traits - baseline, atol=1e-5)


def test_a_long_known_voice_differs_from_nothing() -> None:
    baseline = SpeakerBaseline(AVERAGE)
    for _ in range(10):
        baseline.update(some(3000, 1.0))
    assert np.abs(baseline.update(some(50, 1.0)).mean(axis=0)).max() < 0.06


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 59), max_size=5))
def test_hops_one_by_one_or_together_differ_the_same(cuts: list[int]) -> None:
    voice_features, one, two = (
        some(60, RANDOM.random(60)),
        SpeakerBaseline(AVERAGE),
        SpeakerBaseline(AVERAGE),
    )
    pieces = zip(*(np.split(part, sorted(cuts)) for part in voice_features), strict=True)
    together = np.concatenate([one.update(VoiceFeatures(*piece)) for piece in pieces])
    np.testing.assert_array_equal(together, two.update(voice_features))


def test_the_network_receives_pitch_of_voiced_hops_only_and_never_the_level_itself() -> None:
    voice_features, silent = some(20, 1.0), some(20, 0.0)
    differences = RANDOM.standard_normal((20, TRAITS)).astype(np.float32)
    place = LEVEL + PITCH
    inputs = network_inputs(voice_features, differences)
    assert inputs.shape == (20, INPUTS)
    np.testing.assert_array_equal(inputs[:, place], np.float32(PITCH_GAIN) * differences[:, PITCH])
    assert not network_inputs(silent, differences)[:, place].any()
    louder = voice_features._replace(traits=voice_features.traits.copy())
    louder.traits[:, LEVEL] += 1.0
    np.testing.assert_array_equal(network_inputs(louder, differences), inputs)
