import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bridge.face.alive.pitch import HIGHEST_HZ, LOWEST_HZ, PitchTracker

RATE_HZ = 16_000


def heard(samples: NDArray[np.floating]) -> float:
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
    assert heard(vowel(f0_hz)) == pytest.approx(f0_hz, rel=0.01)


def test_a_vowel_in_noise_keeps_its_pitch() -> None:
    noise = np.random.default_rng(1).normal(0.0, 0.01, 3200)
    assert heard(vowel(140.0) + noise) == pytest.approx(140.0, rel=0.02)


@pytest.mark.parametrize("gain", [0.0, 1e-5, 0.3])
def test_silence_and_noise_have_no_pitch(gain: float) -> None:
    assert heard(gain * np.random.default_rng(2).normal(0.0, 1.0, 3200)) == 0.0
    assert heard(np.zeros(3200)) == 0.0
