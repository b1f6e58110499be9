"""The features of NumPy are those of torch, with which the network was trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cstalk_bridge.models.cstalk.network import LogMel
from cstalk_bridge.models.features import (
    BANDS,
    FEATURES,
    FFT_SAMPLES,
    FLOOR,
    FRAME_SAMPLES,
    HISTORY_SAMPLES,
    LOUDEST,
    MEAN,
    SPREAD,
    log_mel,
    mel_filters,
    window,
)
from cstalk_bridge.models.timing import HOP_SAMPLES


def sound(seed: int, voices: int, hops: int, scale: float) -> np.ndarray:
    random = np.random.default_rng(seed)
    length = HISTORY_SAMPLES + hops * HOP_SAMPLES
    tone = np.sin(np.arange(length) * random.uniform(0.02, 1.5, (voices, 1)))
    noise = 0.1 * random.standard_normal((voices, length))
    return (scale * np.clip(tone + noise, -1.0, 1.0)).astype(np.float32)


def by_torch(samples: np.ndarray) -> np.ndarray:
    return LogMel()(torch.from_numpy(samples)).transpose(1, 2).numpy()


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 3),
    st.integers(1, 30),
    st.sampled_from([0.0, 1e-6, 1e-4, 1e-2, 0.3, 1.0]),
)
def test_numpy_and_torch_compute_the_same(seed: int, voices: int, hops: int, scale: float) -> None:
    samples = sound(seed, voices, hops, scale)
    features = log_mel(samples)
    assert features.shape == (voices, hops, FEATURES)
    assert features.dtype == np.float32
    assert np.abs(features - by_torch(samples)).max() < 1e-5


def test_a_slice_of_a_longer_recording_has_the_same_features() -> None:
    samples = sound(1, 4, 12, 0.5)
    whole = log_mel(samples)
    for hop in range(12):
        start = hop * HOP_SAMPLES
        part = samples[::2, start : start + HISTORY_SAMPLES + HOP_SAMPLES]
        np.testing.assert_allclose(log_mel(part)[:, 0], whole[::2, hop], atol=1e-6)


def test_a_hop_depends_on_nothing_after_itself() -> None:
    samples = sound(2, 1, 6, 0.5)
    later = samples.copy()
    later[:, HISTORY_SAMPLES + 3 * HOP_SAMPLES :] = 0.9
    np.testing.assert_array_equal(log_mel(later)[:, :3], log_mel(samples)[:, :3])
    assert np.abs(log_mel(later)[:, 3] - log_mel(samples)[:, 3]).max() > 0.1


def test_silence_is_the_floor() -> None:
    features = log_mel(np.zeros((1, HISTORY_SAMPLES + HOP_SAMPLES), dtype=np.float32))
    np.testing.assert_allclose(features, (np.log(FLOOR) - MEAN) / SPREAD, rtol=1e-6)


@pytest.mark.parametrize("scale", [LOUDEST, 1e20, 3e38])
def test_what_is_too_loud_is_cut_and_stays_finite(scale: float) -> None:
    loud = np.sign(sound(3, 1, 4, 1.0)) * np.float32(scale)
    np.testing.assert_array_equal(log_mel(loud), log_mel(np.clip(loud, -LOUDEST, LOUDEST)))
    assert np.isfinite(log_mel(loud)).all()


def test_filters_and_window_are_what_they_say() -> None:
    filters = mel_filters()
    assert filters.shape == (BANDS, FFT_SAMPLES // 2 + 1)
    assert (filters >= 0.0).all()
    assert (filters.max(axis=1) > 0.0).all(), "no band is deaf"
    peaks = filters.argmax(axis=1)
    assert (np.diff(peaks) >= 0).all()
    hann = torch.hann_window(FRAME_SAMPLES, periodic=True).numpy()
    np.testing.assert_allclose(window(), hann, atol=1e-6)
