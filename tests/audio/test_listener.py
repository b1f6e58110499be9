from __future__ import annotations

import itertools
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.audio.block import Block
from bridge.audio.dc_block import DcBlock
from bridge.audio.listener import MAX_HOPS, Listener
from bridge.audio.spec import GateSpec

if TYPE_CHECKING:
    from bridge.audio.hop import Hop


def block(samples: np.ndarray, number: int = 0) -> Block:
    """Block `number` of a stream recorded from 100 s on that arrives 15 ms later."""
    captured_s = 100 + number * 0.01
    return Block(np.asarray(samples, dtype=np.float32), captured_s, captured_s + 0.015)


TONE = np.sin(2 * np.pi * np.arange(160) / 40)


def hops(listener: Listener) -> list[Hop]:
    return listener.take_hops()


def test_two_blocks_of_16_khz_make_a_hop() -> None:
    listener = Listener(16000)
    sound = np.linspace(-0.5, 0.5, 640, dtype=np.float32)
    for number in range(4):
        listener.push(block(sound[number * 160 :][:160], number))
        assert len(hops(listener)) == number % 2
    assert listener.delay_s == 0


def test_a_hop_carries_its_samples_times_and_levels() -> None:
    listener = Listener(16000, gain_db=6.0)
    for number in range(4):
        listener.push(block(0.25 * TONE, number))
    first, second = hops(listener)
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
    listener = Listener(rate_hz)
    listener.push(block(np.zeros(rate_hz // 100)))
    assert not hops(listener)
    listener.push(block(np.zeros(rate_hz // 100), 1))
    assert len(hops(listener)) == 1


def test_captured_time_takes_the_resampler_into_account() -> None:
    """A click recorded at a known time is found at that time in the hop."""
    listener = Listener(48000)
    sound = np.zeros(480 * 8, dtype=np.float32)
    sound[1750] = 1.0
    for number in range(8):
        listener.push(block(sound[number * 480 :][:480], number))
    times_s = [
        (hop.captured_s + np.argmax(np.abs(hop.samples)) / 16000, np.abs(hop.samples).max())
        for hop in hops(listener)
    ]
    click_s, _ = max(times_s, key=lambda pair: pair[1])
    assert click_s == pytest.approx(100 + 1750 / 48000, abs=1 / 16000)


def test_what_is_not_a_sound_is_made_harmless() -> None:
    listener = Listener(16000, gain_db=60.0)
    samples = np.tile(np.array([np.nan, np.inf, -np.inf, 3e38], dtype=np.float32), 40)
    listener.push(block(samples))
    listener.push(block(samples))
    (hop,) = hops(listener)
    assert np.allclose(hop.samples[:4], [0.0, 1.0, -1.0, 1.0], atol=0.01)
    assert hop.peak_db == pytest.approx(0.0, abs=1e-6)


def test_the_level_is_measured_before_the_gate() -> None:
    listener = Listener(16000, gate=GateSpec(enabled=True, open_db=-30, close_db=-40))
    for number in range(2):
        listener.push(block(0.01 * TONE, number))
    (hop,) = hops(listener)
    assert not hop.gate_open
    assert not hop.samples.any()
    assert hop.level_db == pytest.approx(-43.0, abs=0.05)


@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_what_is_constant_reaches_neither_meter_nor_gate_nor_network(rate_hz: int) -> None:
    """An interface without a coupling capacitor: digital zero stands at a tenth of full scale."""
    gate = GateSpec(enabled=True, open_db=-50, close_db=-56)
    listener = Listener(rate_hz, gate=gate)
    for number in range(20):
        listener.push(block(np.full(rate_hz // 100, 0.1), number))
    for hop in hops(listener)[1:]:
        assert hop.level_db < -75
        assert not hop.gate_open
        assert not hop.samples.any()


def test_hops_nobody_takes_are_dropped_oldest_first_and_counted() -> None:
    listener = Listener(16000)
    for number in range(2 * MAX_HOPS + 6):
        listener.push(block(np.zeros(160), number))
    taken = hops(listener)
    assert len(taken) == MAX_HOPS
    assert listener.dropped_hops == 3
    assert taken[0].index == 3


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 700), max_size=20))
def test_samples_are_neither_lost_nor_repeated(lengths: list[int]) -> None:
    listener = Listener(16000)
    sound = np.sin(np.arange(sum(lengths))).astype(np.float32)
    edges = np.cumsum([0, *lengths])
    for begin, end in itertools.pairwise(edges):
        listener.push(block(sound[begin:end]))
    heard = [hop.samples for hop in hops(listener)]
    assert len(heard) == min(MAX_HOPS, len(sound) // 320)
    if heard:
        whole = DcBlock(16000).push(sound).clip(-1, 1)
        assert np.allclose(np.concatenate(heard), whole[: len(heard) * 320], atol=1e-6)


def test_memory_does_not_grow() -> None:
    listener = Listener(44100, gate=GateSpec(enabled=True))
    blocks = [block(np.random.default_rng(0).normal(size=441) * 0.1, k) for k in range(2)]

    def listen(count: int) -> None:
        for _ in range(count):
            listener.push(blocks[0])
            listener.push(blocks[1])
            listener.take_hops()

    listen(200)
    tracemalloc.start()
    try:
        listen(100)
        before, _ = tracemalloc.get_traced_memory()
        listen(400)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
