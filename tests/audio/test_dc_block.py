from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.audio.dc_block import CUTOFF_HZ, DcBlock


def by_definition(samples: np.ndarray, rate_hz: float) -> np.ndarray:
    pole = np.exp(-2 * np.pi * CUTOFF_HZ / rate_hz)
    samples = samples.astype(np.float64)
    passed, before, out = [], samples[0], 0.0
    for sample in samples:
        out = sample - before + pole * out
        before = sample
        passed.append(out)
    return np.array(passed)


@given(cuts=st.lists(st.integers(0, 900), max_size=8), seed=st.integers(0, 99))
def test_a_stream_in_pieces_is_the_whole_and_the_formula(cuts: list[int], seed: int) -> None:
    samples = np.random.default_rng(seed).uniform(-1, 1, 1500).astype(np.float32)
    block = DcBlock(16_000)
    pieces = [block.push(piece) for piece in np.split(samples, sorted(cuts))]
    streamed = np.concatenate(pieces)
    assert np.allclose(streamed, DcBlock(16_000).push(samples), atol=1e-6)
    assert np.allclose(streamed, by_definition(samples, 16_000), atol=1e-6)


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 48_000])
def test_an_offset_is_gone_from_the_first_sample_on(rate_hz: int) -> None:
    assert not DcBlock(rate_hz).push(np.full(rate_hz, 0.5, np.float32)).any()


@pytest.mark.parametrize(("hz", "share"), [(80.0, 0.998), (CUTOFF_HZ, 0.7071)])
def test_a_voice_passes_and_the_cutoff_loses_3_db(hz: float, share: float) -> None:
    times_s = np.arange(32_000) / 16_000
    tone = np.sin(2 * np.pi * hz * times_s).astype(np.float32)
    passed = DcBlock(16_000).push(tone)[16_000:]
    assert np.abs(passed).max() == pytest.approx(share, abs=2e-3)


def test_nothing_gives_nothing() -> None:
    assert not len(DcBlock(16_000).push(np.zeros(0, np.float32)))
