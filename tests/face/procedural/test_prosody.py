import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cstalk_bridge.audio.source import HOP_RATE_HZ, HOP_S, HOP_SAMPLES
from cstalk_bridge.face.procedural.prosody import (
    HIGHEST_HZ,
    LOWEST_HZ,
    SILENCE,
    PitchTracker,
    Prosody,
    ProsodyTracker,
    track_prosody,
)
from tests.face.procedural.conversation import speech

RATE_HZ = 16_000


def f0_of(samples: NDArray[np.floating]) -> float:
    tracker = PitchTracker()
    f0_hz = 0.0
    for start in range(0, len(samples) - 319, 320):
        (f0_hz,) = tracker.step(samples[start : start + 320].astype(np.float32))
    return float(f0_hz)


def vowel(f0_hz: float, seconds: float = 0.2) -> NDArray[np.floating]:
    """Harmonics that fall off by 6 dB an octave, with a formant at 700 Hz."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    sound: NDArray[np.floating] = np.zeros(len(time_s))
    for harmonic in range(1, int(4000 / f0_hz)):
        at_hz = harmonic * f0_hz
        gain = (1.0 + 3.0 * np.exp(-(((at_hz - 700.0) / 150.0) ** 2))) / harmonic
        sound += gain * np.sin(2 * np.pi * at_hz * time_s + harmonic)
    scaled: NDArray[np.floating] = 0.2 * sound / np.abs(sound).max()
    return scaled


@settings(max_examples=60, deadline=None)
@given(st.floats(LOWEST_HZ * 1.03, HIGHEST_HZ * 0.97))
def test_the_pitch_of_a_vowel_is_found(f0_hz: float) -> None:
    assert f0_of(vowel(f0_hz)) == pytest.approx(f0_hz, rel=0.01)


def test_a_vowel_in_noise_keeps_its_pitch() -> None:
    noise = np.random.default_rng(1).normal(0.0, 0.01, 3200)
    assert f0_of(vowel(140.0) + noise) == pytest.approx(140.0, rel=0.02)


@pytest.mark.parametrize("gain", [0.0, 1e-5, 0.3])
def test_silence_and_noise_have_no_pitch(gain: float) -> None:
    assert f0_of(gain * np.random.default_rng(2).normal(0.0, 1.0, 3200)) == 0.0
    assert f0_of(np.zeros(3200)) == 0.0


def prosody_of(samples: NDArray[np.floating]) -> list[Prosody]:
    tracker = ProsodyTracker()
    sound = samples.astype(np.float32)
    return [
        tracker.step(sound[start : start + HOP_SAMPLES])
        for start in range(0, len(sound) - HOP_SAMPLES + 1, HOP_SAMPLES)
    ]


def noise(seconds: float, gain: float = 1e-3) -> NDArray[np.floating]:
    return np.random.default_rng(1).normal(0.0, gain, round(seconds * HOP_RATE_HZ))


def syllables(loud: list[float], f0_hz: list[float]) -> NDArray[np.floating]:
    """One syllable of 0.18 s and a dip of 0.07 s for each loudness and pitch."""
    parts = []
    for gain, pitch in zip(loud, f0_hz, strict=True):
        parts += [gain * vowel(pitch, 0.18), np.zeros(round(0.07 * HOP_RATE_HZ))]
    sound: NDArray[np.floating] = np.concatenate(parts)
    return sound + noise(len(sound) / HOP_RATE_HZ, 1e-4)[: len(sound)]


def test_before_any_speech_there_is_silence() -> None:
    assert SILENCE.pause_s == math.inf
    assert not SILENCE.is_speaking
    last = prosody_of(noise(3.0))[-1]
    assert (last.level, last.pause_s, last.stresses, last.phrases) == (0.0, math.inf, 0, 0)


@pytest.mark.parametrize("gain", [1e-4, 1e-3, 1e-2])
def test_steady_room_noise_is_not_speech(gain: float) -> None:
    hops = prosody_of(noise(5.0, gain))
    assert not any(hop.is_speaking for hop in hops[25:])


def test_a_phrase_starts_at_once_and_its_pause_is_timed() -> None:
    spoken = syllables([1.0] * 6, [120.0] * 6)
    hops = prosody_of(np.concatenate([noise(1.0), spoken, noise(1.5)]))
    speaking = np.array([hop.is_speaking for hop in hops])
    start, end = 1.0, 1.0 + len(spoken) / HOP_RATE_HZ
    assert np.argmax(speaking) * HOP_S == pytest.approx(start, abs=0.08)
    assert len(speaking) - np.argmax(speaking[::-1]) == pytest.approx(end / HOP_S, abs=0.25 / HOP_S)
    assert speaking[round(1.1 / HOP_S) : round((end - 0.1) / HOP_S)].all()
    assert hops[-1].phrases == 1
    assert hops[-1].pause_s == pytest.approx(1.5, abs=0.15)
    assert hops[-1].melody == pytest.approx(0.0, abs=0.1)


def test_the_louder_and_higher_syllables_are_the_stressed_ones() -> None:
    loud = [0.4, 0.4, 0.4, 0.9, 0.4, 0.4, 0.4, 0.9, 0.4, 0.4]
    pitch = [110.0 if gain < 0.5 else 140.0 for gain in loud]
    hops = prosody_of(np.concatenate([noise(1.0), syllables(loud, pitch), noise(0.5)]))
    counts = np.array([hop.stresses for hop in hops])
    times_s = (np.flatnonzero(np.diff(counts)) + 1) * HOP_S - 1.0
    assert len(times_s) == 2
    np.testing.assert_allclose(times_s, [3 * 0.25 + 0.2, 7 * 0.25 + 0.2], atol=0.08)
    assert hops[-1].stress > 0.6


def test_the_syllable_rate_is_measured() -> None:
    hops = prosody_of(np.concatenate([noise(0.5), syllables([1.0] * 32, [120.0] * 32)]))
    assert hops[-1].syllables_hz == pytest.approx(4.0, rel=0.2)


def test_melody_is_in_semitones_above_the_mean_pitch_of_the_speaker() -> None:
    low = syllables([0.8] * 24, [110.0] * 24)
    hops = prosody_of(np.concatenate([noise(0.5), low, vowel(110.0 * 2 ** (5 / 12), 0.3)]))
    assert hops[-30].melody == pytest.approx(0.0, abs=0.3)
    assert hops[-1].melody == pytest.approx(5.0, abs=0.5)


def test_speech_is_analysed_alike_at_any_recording_level() -> None:
    spoken = np.concatenate([noise(1.0), syllables([0.8] * 12, [120.0] * 12), noise(1.0)])
    loud, soft = prosody_of(spoken), prosody_of(0.1 * spoken)
    differing = [
        one.is_speaking != other.is_speaking for one, other in zip(loud, soft, strict=True)
    ]
    assert sum(differing[60:]) <= 3
    assert max(hop.level for hop in soft) > 0.8


def test_real_speech_has_its_pauses_phrases_and_a_womans_pitch() -> None:
    hops = prosody_of(speech())
    f0_hz = [hop.f0_hz for hop in hops if hop.f0_hz]
    assert 160.0 < np.median(f0_hz) < 240.0
    assert hops[-1].phrases in {3, 4}
    assert 4 <= hops[-1].stresses <= 16
    assert 0.6 < np.mean([hop.is_speaking for hop in hops]) < 0.9


def test_hops_processed_together_equal_hops_processed_one_by_one() -> None:
    sound = speech()[: 400 * HOP_SAMPLES]
    assert ProsodyTracker().process(sound) == prosody_of(sound)


def test_every_hop_is_in_range_for_any_input() -> None:
    random = np.random.default_rng(3)
    sound = np.concatenate([noise(0.5, gain) for gain in 10.0 ** random.uniform(-6, 1, 20)])
    for hop in prosody_of(np.clip(sound, -1.0, 1.0)):
        assert 0.0 <= hop.level <= 1.0
        assert 0.0 <= hop.stress <= 1.0
        assert -12.0 <= hop.melody <= 12.0
        assert hop.pause_s >= 0.0


def test_no_sound_gives_no_hop() -> None:
    trackers = [ProsodyTracker(), ProsodyTracker()]
    assert track_prosody(trackers, np.zeros((2, 0), dtype=np.float32)) == [[], []]
    assert list(trackers[0].process(np.zeros(0, dtype=np.float32))) == []
