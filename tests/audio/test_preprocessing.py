from __future__ import annotations

import itertools
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from cstalk_bridge.audio.levels import amplitude
from cstalk_bridge.audio.preprocessing import (
    DC_CUTOFF_HZ,
    MAX_HOPS,
    DcBlock,
    Mute,
    NoiseGate,
    Preprocessor,
    Resampler,
)
from cstalk_bridge.audio.source import Block, GateConfig

if TYPE_CHECKING:
    from cstalk_bridge.audio.source import Hop


def by_definition(samples: np.ndarray, rate_hz: float) -> np.ndarray:
    pole = np.exp(-2 * np.pi * DC_CUTOFF_HZ / rate_hz)
    samples = samples.astype(np.float64)
    passed, before, out = [], samples[0], 0.0
    for sample in samples:
        out = sample - before + pole * out
        before = sample
        passed.append(out)
    return np.array(passed)


@given(cuts=st.lists(st.integers(0, 900), max_size=8), seed=st.integers(0, 99))
def test_filtering_in_pieces_equals_the_whole_and_the_formula(cuts: list[int], seed: int) -> None:
    samples = np.random.default_rng(seed).uniform(-1, 1, 1500).astype(np.float32)
    block = DcBlock(16_000)
    pieces = [block.push(piece) for piece in np.split(samples, sorted(cuts))]
    streamed = np.concatenate(pieces)
    assert np.allclose(streamed, DcBlock(16_000).push(samples), atol=1e-6)
    assert np.allclose(streamed, by_definition(samples, 16_000), atol=1e-6)


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 48_000])
def test_a_dc_offset_is_removed_from_the_first_sample(rate_hz: int) -> None:
    assert not DcBlock(rate_hz).push(np.full(rate_hz, 0.5, np.float32)).any()


@pytest.mark.parametrize(("hz", "share"), [(80.0, 0.998), (DC_CUTOFF_HZ, 0.7071)])
def test_a_voice_passes_and_the_cutoff_loses_3_db(hz: float, share: float) -> None:
    times_s = np.arange(32_000) / 16_000
    tone = np.sin(2 * np.pi * hz * times_s).astype(np.float32)
    passed = DcBlock(16_000).push(tone)[16_000:]
    assert np.abs(passed).max() == pytest.approx(share, abs=2e-3)


def test_no_samples_give_no_samples() -> None:
    assert not len(DcBlock(16_000).push(np.zeros(0, np.float32)))


SPEC = GateConfig(enabled=True, open_db=-50, close_db=-56, hold_ms=100)


def block(db: float) -> np.ndarray:
    """10 ms at 16 kHz of a square wave, so that its RMS level is its amplitude's."""
    signs = np.where(np.arange(160) % 2, 1.0, -1.0)
    return np.asarray(signs * amplitude(db), dtype=np.float32)


def states(gate: NoiseGate, levels_db: list[float]) -> list[bool]:
    opened = []
    for level_db in levels_db:
        gate.push(block(level_db))
        opened.append(gate.is_open)
    return opened


def test_the_gate_keeps_its_state_between_its_two_levels() -> None:
    gate = NoiseGate(SPEC, 16000)
    assert states(gate, [-53] * 20) == [False] * 20
    assert states(gate, [-49]) == [True]
    assert states(gate, [-53] * 50) == [True] * 50


def test_the_gate_closes_after_the_hold_and_not_before() -> None:
    gate = NoiseGate(SPEC, 16000)
    assert states(gate, [-30, *[-60] * 9]) == [True] * 10
    assert states(gate, [-60]) == [False]


def test_a_sound_within_the_hold_restarts_it() -> None:
    gate = NoiseGate(SPEC, 16000)
    assert states(gate, [-30, *[-60] * 9, -55, *[-60] * 9]) == [True] * 20


def test_the_block_that_opens_the_gate_passes_from_its_start() -> None:
    gate = NoiseGate(SPEC, 16000)
    assert not gate.push(block(-60)).any()
    output = gate.push(block(-20))
    assert output[0] != 0
    assert np.array_equal(output[32:], block(-20)[32:]), "open after 2 ms"
    assert np.array_equal(gate.push(block(-20)), block(-20))


def test_the_gate_opens_and_closes_without_a_click() -> None:
    gate = NoiseGate(SPEC, 16000)
    steady = np.full(160, amplitude(-20), dtype=np.float32)
    quiet = np.full(160, amplitude(-57), dtype=np.float32)
    output = np.concatenate([gate.push(steady)] + [gate.push(quiet) for _ in range(14)])
    steps = np.abs(np.diff(output[:160]))
    assert steps.max() <= amplitude(-20) / 32 * 1.01
    assert np.abs(np.diff(output[161:])).max() <= amplitude(-57) / 160 * 1.01
    assert output[-1] == 0


def test_a_disabled_gate_is_open_and_changes_nothing() -> None:
    gate = NoiseGate(GateConfig(enabled=False), 16000)
    assert gate.is_open
    assert np.array_equal(gate.push(block(-90)), block(-90))
    assert gate.is_open


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
def test_the_resampler_agrees_with_soxr_after_the_stated_delay(rate_hz: int) -> None:
    sound = band_limited(rate_hz)
    ours = np.concatenate(resampled_in_blocks(sound, rate_hz))
    theirs = soxr.resample(sound, rate_hz, 16000, quality="VHQ")
    delay = round(Resampler(rate_hz).delay_s * 16000)
    error = ours[delay:] - theirs[: len(ours) - delay]
    error_db = 10 * np.log10((error**2).sum() / (theirs**2).sum())
    assert error_db < (-70 if rate_hz == 47999 else -80)


@pytest.mark.parametrize("rate_hz", RATES)
def test_the_resampler_outputs_as_much_as_it_receives_block_by_block(rate_hz: int) -> None:
    lengths = [len(piece) for piece in resampled_in_blocks(band_limited(rate_hz), rate_hz)]
    assert sum(lengths) == 16000
    assert min(lengths) >= 159
    assert max(lengths) <= 161


def test_16_khz_passes_unchanged_without_delay() -> None:
    sound = band_limited(16000)
    assert Resampler(16000).delay_s == 0
    assert np.array_equal(Resampler(16000).push(sound), sound)


def test_the_resampler_delays_by_at_most_2_ms() -> None:
    assert all(Resampler(rate_hz).delay_s <= 0.002 for rate_hz in RATES)


@pytest.mark.parametrize(("rate_hz", "tone_hz"), [(48000, 8200), (44100, 9000), (96000, 20000)])
def test_the_resampler_removes_what_16_khz_cannot_represent(rate_hz: int, tone_hz: int) -> None:
    tone = np.sin(2 * np.pi * tone_hz * np.arange(rate_hz) / rate_hz).astype(np.float32)
    left = Resampler(rate_hz).push(tone)[100:]
    assert 10 * np.log10(2 * (left**2).mean()) < -80


@settings(deadline=None, max_examples=40)
@given(
    rate_hz=st.integers(8000, 96000),
    cuts=st.lists(st.integers(0, 2000), max_size=12),
)
def test_block_boundaries_do_not_change_the_resampled_signal(rate_hz: int, cuts: list[int]) -> None:
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


LOUD = Block(np.ones(160, dtype=np.float32), captured_s=1.0, arrived_s=1.01)


def test_an_open_mute_passes_blocks_as_they_are() -> None:
    assert Mute().apply(LOUD) is LOUD


def test_a_muted_voice_fades_out_is_silent_and_fades_in() -> None:
    mute = Mute()
    mute.is_muted = True
    fading, silent = mute.apply(LOUD), mute.apply(LOUD)
    mute.is_muted = False
    rising, open_again = mute.apply(LOUD), mute.apply(LOUD)
    assert (fading.samples[0], fading.samples[-1]) == (1.0, 0.0)
    assert np.abs(np.diff(fading.samples)).max() < 0.01
    assert not silent.samples.any()
    np.testing.assert_array_equal(rising.samples, fading.samples[::-1])
    assert open_again is LOUD
    assert (silent.captured_s, silent.arrived_s) == (1.0, 1.01)


def block_at(samples: np.ndarray, number: int = 0) -> Block:
    """Block `number` of a stream recorded from 100 s on that arrives 15 ms later."""
    captured_s = 100 + number * 0.01
    return Block(np.asarray(samples, dtype=np.float32), captured_s, captured_s + 0.015)


TONE = np.sin(2 * np.pi * np.arange(160) / 40)


def hops(preprocessor: Preprocessor) -> list[Hop]:
    return preprocessor.take_hops()


def test_two_blocks_of_16_khz_make_a_hop() -> None:
    preprocessor = Preprocessor(16000)
    sound = np.linspace(-0.5, 0.5, 640, dtype=np.float32)
    for number in range(4):
        preprocessor.push(block_at(sound[number * 160 :][:160], number))
        assert len(hops(preprocessor)) == number % 2
    assert preprocessor.delay_s == 0


def test_a_hop_carries_its_samples_times_and_levels() -> None:
    preprocessor = Preprocessor(16000, gain_db=6.0)
    for number in range(4):
        preprocessor.push(block_at(0.25 * TONE, number))
    first, second = hops(preprocessor)
    assert (first.index, second.index) == (0, 1)
    assert np.allclose(second.samples, 0.25 * 10**0.3 * np.tile(TONE, 2), atol=0.01)
    assert second.samples.dtype == np.float32
    assert second.captured_s == pytest.approx(100.02)
    assert second.arrived_s == pytest.approx(100.045)
    assert second.level_db == pytest.approx(-9.05, abs=0.05)
    assert second.peak_db == pytest.approx(-6.04, abs=0.15)
    assert second.gate_open


@pytest.mark.parametrize("rate_hz", [8000, 44100, 48000, 96000])
def test_a_hop_is_complete_with_the_second_block_at_any_rate(rate_hz: int) -> None:
    preprocessor = Preprocessor(rate_hz)
    preprocessor.push(block_at(np.zeros(rate_hz // 100)))
    assert not hops(preprocessor)
    preprocessor.push(block_at(np.zeros(rate_hz // 100), 1))
    assert len(hops(preprocessor)) == 1


def test_capture_times_account_for_the_resampler_delay() -> None:
    """A click recorded at a known time is found at that time in the hop."""
    preprocessor = Preprocessor(48000)
    sound = np.zeros(480 * 8, dtype=np.float32)
    sound[1750] = 1.0
    for number in range(8):
        preprocessor.push(block_at(sound[number * 480 :][:480], number))
    times_s = [
        (hop.captured_s + np.argmax(np.abs(hop.samples)) / 16000, np.abs(hop.samples).max())
        for hop in hops(preprocessor)
    ]
    click_s, _ = max(times_s, key=lambda pair: pair[1])
    assert click_s == pytest.approx(100 + 1750 / 48000, abs=1 / 16000)


def test_samples_that_are_not_finite_are_replaced() -> None:
    preprocessor = Preprocessor(16000, gain_db=60.0)
    samples = np.tile(np.array([np.nan, np.inf, -np.inf, 3e38], dtype=np.float32), 40)
    preprocessor.push(block_at(samples))
    preprocessor.push(block_at(samples))
    (hop,) = hops(preprocessor)
    assert np.allclose(hop.samples[:4], [0.0, 1.0, -1.0, 1.0], atol=0.01)
    assert hop.peak_db == pytest.approx(0.0, abs=1e-6)


def test_the_level_is_measured_before_the_gate() -> None:
    preprocessor = Preprocessor(16000, gate=GateConfig(enabled=True, open_db=-30, close_db=-40))
    for number in range(2):
        preprocessor.push(block_at(0.01 * TONE, number))
    (hop,) = hops(preprocessor)
    assert not hop.gate_open
    assert not hop.samples.any()
    assert hop.level_db == pytest.approx(-43.0, abs=0.05)


@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_a_dc_offset_reaches_neither_meter_nor_gate_nor_network(rate_hz: int) -> None:
    """An interface without a coupling capacitor: digital zero stands at a tenth of full scale."""
    gate = GateConfig(enabled=True, open_db=-50, close_db=-56)
    preprocessor = Preprocessor(rate_hz, gate=gate)
    for number in range(20):
        preprocessor.push(block_at(np.full(rate_hz // 100, 0.1), number))
    for hop in hops(preprocessor)[1:]:
        assert hop.level_db < -75
        assert not hop.gate_open
        assert not hop.samples.any()


def test_unread_hops_are_dropped_oldest_first_and_counted() -> None:
    preprocessor = Preprocessor(16000)
    for number in range(2 * MAX_HOPS + 6):
        preprocessor.push(block_at(np.zeros(160), number))
    taken = hops(preprocessor)
    assert len(taken) == MAX_HOPS
    assert preprocessor.dropped_hops == 3
    assert taken[0].index == 3


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 700), max_size=20))
def test_samples_are_neither_lost_nor_repeated(lengths: list[int]) -> None:
    preprocessor = Preprocessor(16000)
    sound = np.sin(np.arange(sum(lengths))).astype(np.float32)
    edges = np.cumsum([0, *lengths])
    for begin, end in itertools.pairwise(edges):
        preprocessor.push(block_at(sound[begin:end]))
    output = [hop.samples for hop in hops(preprocessor)]
    assert len(output) == min(MAX_HOPS, len(sound) // 320)
    if output:
        whole = DcBlock(16000).push(sound).clip(-1, 1)
        assert np.allclose(np.concatenate(output), whole[: len(output) * 320], atol=1e-6)


def test_memory_does_not_grow() -> None:
    preprocessor = Preprocessor(44100, gate=GateConfig(enabled=True))
    blocks = [block_at(np.random.default_rng(0).normal(size=441) * 0.1, k) for k in range(2)]

    def feed(count: int) -> None:
        for _ in range(count):
            preprocessor.push(blocks[0])
            preprocessor.push(blocks[1])
            preprocessor.take_hops()

    feed(200)
    tracemalloc.start()
    try:
        feed(100)
        before, _ = tracemalloc.get_traced_memory()
        feed(400)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
