from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.mel import BANDS
from models.mood.features import HISTORY_SAMPLES, LEVEL, MOTIONS, PITCH, TRAITS, VoiceFeatures
from models.timing import HOP_SAMPLES
from tests.models.mood.conftest import voice

FEATURES = VoiceFeatures()
HOPS = 40


def heard(sound: np.ndarray) -> tuple[torch.Tensor, ...]:
    return FEATURES(torch.from_numpy(sound[: HISTORY_SAMPLES + HOPS * HOP_SAMPLES])[None])


def buzz(hz: float) -> np.ndarray:
    times_s = np.arange(HISTORY_SAMPLES + HOPS * HOP_SAMPLES) / 16_000
    waves = [np.sin(2 * np.pi * k * hz * times_s) / k for k in range(1, 12)]
    return (0.1 * np.sum(waves, 0)).astype(np.float32)


def test_shapes_are_those_promised() -> None:
    traits, motions, voicing = heard(voice(2.0))
    assert traits.shape == (1, TRAITS, HOPS)
    assert motions.shape == (1, MOTIONS, HOPS)
    assert voicing.shape == (1, HOPS)


@settings(max_examples=20, deadline=None)
@given(hz=st.floats(85.0, 400.0))
def test_pitch_is_that_of_the_voice_within_a_step(hz: float) -> None:
    octaves = heard(buzz(hz))[0][0, PITCH]
    octave_lower = heard(buzz(200.0))[0][0, PITCH]
    assert float(octaves.median() - octave_lower.median()) == pytest.approx(
        np.log2(hz / 200.0), abs=0.09
    )


@pytest.mark.parametrize("gain_db", [-12.0, 12.0])
def test_gain_changes_the_level_and_hardly_anything_else(gain_db: float) -> None:
    room = 0.003 * np.random.default_rng(3).standard_normal(32_000)
    sound = (0.2 * voice(2.0) + room).astype(np.float32)
    traits, motions, voicing = heard(sound)
    changed, moved, voiced = heard(sound * np.float32(10 ** (gain_db / 20)))
    torch.testing.assert_close(changed[:, :BANDS], traits[:, :BANDS], atol=0.1, rtol=0)
    torch.testing.assert_close(moved, motions, atol=0.1, rtol=0)
    torch.testing.assert_close(voiced, voicing, atol=0.01, rtol=0)
    rise = (changed - traits)[:, LEVEL]
    assert float(rise.mean()) == pytest.approx(gain_db / 10 * np.log(10) / 4, abs=0.01)


def test_noise_and_silence_are_no_voice() -> None:
    random = np.random.default_rng(2)
    noise = 0.1 * random.standard_normal(HISTORY_SAMPLES + HOPS * HOP_SAMPLES)
    assert float(heard(noise.astype(np.float32))[2].max()) < 0.2
    assert float(heard(np.zeros(20_000, np.float32))[2].max()) == 0.0


def test_a_hop_hears_nothing_after_itself() -> None:
    sound = voice(2.0)
    other = sound.copy()
    other[HISTORY_SAMPLES + 20 * HOP_SAMPLES :] *= -0.5
    for one, two in zip(heard(sound), heard(other), strict=True):
        assert torch.equal(one[..., :20], two[..., :20])
        assert not torch.equal(one[..., 20:], two[..., 20:])
