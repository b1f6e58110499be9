"""Whole, hop by hop and by windows the encoder computes the same, without future."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cstalk_bridge.models.encoder.network import EncoderStream, encode
from cstalk_bridge.models.features import (
    ENCODER_HISTORY_SAMPLES,
    FRAME_SAMPLES,
    RIGHT_HOPS,
    STEP_SAMPLES,
    WINDOW_HOPS,
    delay_hops,
)
from cstalk_bridge.models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cstalk_bridge.models.encoder.network import Encoder


DELAYS = range(len(RIGHT_HOPS))
SAME = 1e-4
HOPS = WINDOW_HOPS + 60


def bursts(hops: int, seed: int = 1) -> NDArray[np.float32]:
    """Noise that swells, with stretches of digital silence."""
    random = np.random.default_rng(seed)
    loudness = np.repeat(random.choice((0.0, 1e-3, 0.05, 0.5), -(-hops // 7)), 7)[:hops]
    noise = random.standard_normal(hops * HOP_SAMPLES) * np.repeat(loudness, HOP_SAMPLES)
    return noise.astype(np.float32)


def hop_by_hop(encoder: Encoder, sound: NDArray[np.float32], delay: int) -> NDArray[np.float32]:
    stream = EncoderStream(encoder, delay)
    return np.concatenate([stream.process(hop) for hop in sound.reshape(-1, HOP_SAMPLES)])


@pytest.mark.parametrize("delay", DELAYS)
def test_hop_by_hop_a_recording_gives_what_it_gives_whole(encoder: Encoder, delay: int) -> None:
    sound = bursts(HOPS)
    whole = encode(encoder, sound, delay)
    late = delay_hops(delay)
    streamed = hop_by_hop(encoder, np.pad(sound, (0, late * HOP_SAMPLES)), delay)
    assert whole.shape == (HOPS, encoder.sizes.width)
    assert np.abs(streamed[late - 1 :][:HOPS] - whole).max() < SAME
    assert whole.std(0).min() > 100 * SAME


@pytest.mark.parametrize("delay", DELAYS)
def test_a_window_alone_gives_its_last_row(encoder: Encoder, delay: int) -> None:
    sound = bursts(HOPS)
    streamed = hop_by_hop(encoder, sound, delay)
    window = torch.from_numpy(sound[-(WINDOW_HOPS * HOP_SAMPLES + ENCODER_HISTORY_SAMPLES) :])[None]
    alone = encoder(window, delay)[0]
    assert np.abs(alone[-1].numpy() - streamed[-1]).max() < SAME
    assert len(alone) == WINDOW_HOPS - delay_hops(delay)


@pytest.mark.parametrize("delay", DELAYS)
@given(cuts=st.lists(st.integers(1, 39), max_size=5))
@settings(max_examples=10, deadline=None)
def test_passes_of_any_length_give_the_same(encoder: Encoder, delay: int, cuts: list[int]) -> None:
    sound = bursts(40)
    edges = [0, *sorted(set(cuts)), 40]
    stream = EncoderStream(encoder, delay)
    parts = [stream.process(sound[a * HOP_SAMPLES : b * HOP_SAMPLES]) for a, b in pairwise(edges)]
    assert np.abs(np.concatenate(parts) - hop_by_hop(encoder, sound, delay)).max() < SAME


@pytest.mark.parametrize("delay", DELAYS)
def test_a_row_uses_as_much_future_as_its_delay_has_and_no_more(
    encoder: Encoder, delay: int
) -> None:
    row, sound = 30, bursts(60)
    hears_until = row * HOP_SAMPLES + 2 * STEP_SAMPLES + FRAME_SAMPLES // 2
    hears_until += sum(RIGHT_HOPS[delay]) * HOP_SAMPLES
    assert hears_until <= (row + delay_hops(delay)) * HOP_SAMPLES
    before = encode(encoder, sound, delay)[: row + 1]
    for first, is_heard in ((hears_until, False), (hears_until - HOP_SAMPLES, True)):
        changed = sound.copy()
        changed[first:] = np.random.default_rng(2).normal(0, 0.3, len(sound) - first)
        difference = np.abs(encode(encoder, changed, delay)[: row + 1] - before)
        assert difference[:row].max() < SAME or is_heard
        assert (difference[row].max() > SAME) == is_heard


def test_what_lies_before_the_reach_of_all_layers_is_forgotten(encoder: Encoder) -> None:
    sound, other = bursts(HOPS), bursts(HOPS, 2)
    other[-WINDOW_HOPS * HOP_SAMPLES - ENCODER_HISTORY_SAMPLES :] = sound[
        -WINDOW_HOPS * HOP_SAMPLES - ENCODER_HISTORY_SAMPLES :
    ]
    one, another = (hop_by_hop(encoder, s, 2)[-1] for s in (sound, other))
    assert np.abs(one - another).max() < SAME


@pytest.mark.parametrize("delay", DELAYS)
def test_the_caches_keep_their_size(encoder: Encoder, delay: int) -> None:
    caches = encoder.silent_caches(1, delay)
    sizes = [tuple(cache.shape) for cache in caches]
    sound = torch.from_numpy(np.pad(bursts(250), (ENCODER_HISTORY_SAMPLES, 0)))[None]
    for hops in (1, 1, 248):
        encoder(sound[:, : ENCODER_HISTORY_SAMPLES + hops * HOP_SAMPLES], delay, caches)
        assert [tuple(cache.shape) for cache in caches] == sizes


@pytest.mark.parametrize("delay", DELAYS)
def test_silence_changes_nothing_from_the_first_hop_on(encoder: Encoder, delay: int) -> None:
    rows = EncoderStream(encoder, delay).process(np.zeros(120 * HOP_SAMPLES, np.float32))
    assert np.abs(rows - rows[:1]).max() < SAME


def test_reset_forgets(encoder: Encoder) -> None:
    stream, sound = EncoderStream(encoder, 1), bursts(5)
    first = stream.process(sound)
    assert np.abs(stream.process(sound) - first).max() > SAME
    stream.reset()
    assert np.array_equal(stream.process(sound), first)


def test_a_batch_is_encoded_row_by_row(encoder: Encoder) -> None:
    sounds = torch.from_numpy(np.stack([bursts(20, seed) for seed in (1, 2)]))
    sounds = torch.nn.functional.pad(sounds, (ENCODER_HISTORY_SAMPLES, 0))
    both = encoder(sounds, 2, encoder.silent_caches(2, 2))
    for row in range(2):
        alone = encoder(sounds[row : row + 1], 2, encoder.silent_caches(1, 2))
        assert (both[row] - alone[0]).abs().max() < SAME


@pytest.mark.parametrize("samples", [0, 100, HOP_SAMPLES + 1])
def test_broken_hops_are_refused(encoder: Encoder, samples: int) -> None:
    with pytest.raises(ValueError, match="whole hops of 320"):
        EncoderStream(encoder, 0).process(np.zeros(samples, np.float32))


def test_an_empty_recording_has_no_rows(encoder: Encoder) -> None:
    assert encode(encoder, np.zeros(0, np.float32), 0).shape == (0, encoder.sizes.width)
