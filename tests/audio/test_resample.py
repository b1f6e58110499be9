from __future__ import annotations

import itertools

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.audio.resample import Resampler

RATES = [8000, 11025, 22050, 24000, 32000, 44100, 47999, 48000, 96000, 176400, 192000, 384000]


def band_limited(rate_hz: int, seed: int = 1) -> np.ndarray:
    """One second of noise from 50 Hz to 6.5 kHz (or what the rate carries), fading at both ends."""
    frequencies_hz = np.fft.rfftfreq(rate_hz, 1 / rate_hz)
    random = np.random.default_rng(seed)
    spectrum = random.normal(size=(len(frequencies_hz), 2)) @ np.array([1, 1j])
    spectrum *= (frequencies_hz > 50) & (frequencies_hz < min(6500, 0.38 * rate_hz))
    sound = np.fft.irfft(spectrum, rate_hz) * np.hanning(rate_hz)
    return np.asarray(0.5 * sound / np.abs(sound).max(), dtype=np.float32)


def resampled_in_blocks(sound: np.ndarray, rate_hz: int) -> list[np.ndarray]:
    resampler = Resampler(rate_hz)
    edges = [k * rate_hz // 100 for k in range(101)]
    return [resampler.push(sound[begin:end]) for begin, end in itertools.pairwise(edges)]


@pytest.mark.parametrize("rate_hz", RATES)
def test_it_agrees_with_soxr_after_the_stated_delay(rate_hz: int) -> None:
    sound = band_limited(rate_hz)
    ours = np.concatenate(resampled_in_blocks(sound, rate_hz))
    theirs = soxr.resample(sound, rate_hz, 16000, quality="VHQ")
    delay = round(Resampler(rate_hz).delay_s * 16000)
    error = ours[delay:] - theirs[: len(ours) - delay]
    error_db = 10 * np.log10((error**2).sum() / (theirs**2).sum())
    assert error_db < (-70 if rate_hz == 47999 else -80)


@pytest.mark.parametrize("rate_hz", RATES)
def test_as_much_comes_out_as_goes_in_block_by_block(rate_hz: int) -> None:
    lengths = [len(piece) for piece in resampled_in_blocks(band_limited(rate_hz), rate_hz)]
    assert sum(lengths) == 16000
    assert min(lengths) >= 159
    assert max(lengths) <= 161


def test_16_khz_passes_unchanged_without_delay() -> None:
    sound = band_limited(16000)
    assert Resampler(16000).delay_s == 0
    assert np.array_equal(Resampler(16000).push(sound), sound)


def test_the_delay_is_at_most_2_ms() -> None:
    assert all(Resampler(rate_hz).delay_s <= 0.002 for rate_hz in RATES)


@pytest.mark.parametrize(("rate_hz", "tone_hz"), [(48000, 8200), (44100, 9000), (96000, 20000)])
def test_what_16_khz_cannot_carry_is_gone(rate_hz: int, tone_hz: int) -> None:
    tone = np.sin(2 * np.pi * tone_hz * np.arange(rate_hz) / rate_hz).astype(np.float32)
    left = Resampler(rate_hz).push(tone)[100:]
    assert 10 * np.log10(2 * (left**2).mean()) < -80


@settings(deadline=None, max_examples=40)
@given(
    rate_hz=st.integers(8000, 96000),
    cuts=st.lists(st.integers(0, 2000), max_size=12),
)
def test_how_the_stream_is_cut_does_not_matter(rate_hz: int, cuts: list[int]) -> None:
    sound = band_limited(8000)[:2000]
    resampler = Resampler(rate_hz)
    edges = [0, *sorted(cuts), 2000]
    pieces = [resampler.push(sound[a:b]) for a, b in itertools.pairwise(edges)]
    whole = Resampler(rate_hz).push(sound)
    assert np.allclose(np.concatenate(pieces), whole, atol=1e-6)


def test_a_constant_stays_constant() -> None:
    for rate_hz in RATES:
        steady = Resampler(rate_hz).push(np.full(rate_hz // 10, 0.5, dtype=np.float32))
        assert np.allclose(steady[100:], 0.5, atol=1e-6)


@pytest.mark.parametrize("rate_hz", [0, 7999, 384001])
def test_a_rate_out_of_range_is_refused(rate_hz: int) -> None:
    with pytest.raises(ValueError, match=r"8000\.\.384000 Hz"):
        Resampler(rate_hz)
