"""The stream clock on simulated sound cards: jitter, bursts, drift, stalls, jumps."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cstalk_bridge.audio.stream import GUARD_S, HISTORY_S, AudioHistory, StreamClock

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_S = 0.010
BOUND_S = 0.003


class Card:
    """A sound card whose clock runs `drift_ppm` fast and whose blocks arrive late by chance.

    Blocks of a burst arrive together with its last one, which is up to 8 ms late itself.
    """

    def __init__(self, seed: int = 0, *, drift_ppm: float = 0.0, burst: int = 1) -> None:
        self.random = random.Random(seed)
        self.burst = burst
        self.slope = 1.0 / (1.0 + drift_ppm * 1e-6)
        self.start_s = 1000.0
        self.blocks = 0

    def true_host_time(self, stream_s: float) -> float:
        return self.start_s + stream_s * self.slope

    def arrivals(self, duration_s: float) -> Iterator[tuple[float, float]]:
        """Give (arrived_s, stream_end_s) for that much more of the stream."""
        previous_s = 0.0
        for _ in range(round(duration_s / BLOCK_S / self.burst)):
            last_s = (self.blocks + self.burst) * BLOCK_S
            arrived_s = self.true_host_time(last_s) + self.random.uniform(0.0, 0.008)
            previous_s = max(previous_s, arrived_s)
            for _ in range(self.burst):
                self.blocks += 1
                yield previous_s, self.blocks * BLOCK_S

    def stalled(self, duration_s: float) -> Iterator[tuple[float, float]]:
        """Give the blocks of a stall: all arrive at its end."""
        end_s = self.true_host_time(self.blocks * BLOCK_S + duration_s)
        for _ in range(round(duration_s / BLOCK_S)):
            self.blocks += 1
            yield end_s, self.blocks * BLOCK_S

    def error_s(self, clock: StreamClock) -> float:
        """Return how far the clock's mapping is off at the newest block."""
        stream_s = self.blocks * BLOCK_S
        return clock.host_time(stream_s) - self.true_host_time(stream_s)


def feed(clock: StreamClock, arrivals: Iterator[tuple[float, float]]) -> None:
    for arrived_s, stream_end_s in arrivals:
        clock.observe(arrived_s, stream_end_s)


@pytest.mark.parametrize("drift_ppm", [200.0, -200.0])
def test_30_minutes_of_drift_jitter_and_bursts_stay_within_3_ms(drift_ppm: float) -> None:
    card, clock = Card(drift_ppm=drift_ppm, burst=3), StreamClock()
    feed(clock, card.arrivals(1.0))
    for _ in range(1800):
        feed(clock, card.arrivals(0.99))
        assert abs(card.error_s(clock)) < BOUND_S
    assert clock.drift_ppm == pytest.approx(drift_ppm, abs=60)
    assert clock.resyncs == 0


@settings(max_examples=25)
@given(
    st.integers(0, 2**32),
    st.sampled_from([-200.0, 0.0, 200.0]),
    st.integers(1, 3),
    st.integers(150, 600),
)
def test_a_half_second_stall_does_not_change_the_clock_mapping(
    seed: int, drift_ppm: float, burst: int, blocks_before: int
) -> None:
    card, clock = Card(seed, drift_ppm=drift_ppm, burst=burst), StreamClock()
    feed(clock, card.arrivals(blocks_before * BLOCK_S))
    for arrived_s, stream_end_s in card.stalled(0.5):
        clock.observe(arrived_s, stream_end_s)
        assert abs(card.error_s(clock)) < BOUND_S
    for _ in range(30):
        feed(clock, card.arrivals(0.1))
        assert abs(card.error_s(clock)) < BOUND_S
    assert clock.resyncs == 0


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.floats(0.05, 20.0))
def test_a_persistent_jump_is_followed_within_two_seconds(seed: int, jump_s: float) -> None:
    """Lost samples: from now on the same stream time arrives that much later."""
    card, clock = Card(seed, burst=2), StreamClock()
    feed(clock, card.arrivals(8.0))
    card.start_s += jump_s
    feed(clock, card.arrivals(0.9))
    assert abs(card.error_s(clock) + jump_s) < BOUND_S, "not yet: it could be a stall"
    feed(clock, card.arrivals(0.5))
    assert abs(card.error_s(clock)) < BOUND_S
    assert clock.resyncs == 1
    for _ in range(20):
        feed(clock, card.arrivals(0.5))
        assert abs(card.error_s(clock)) < BOUND_S


def test_a_jump_ahead_is_followed_at_once_because_no_block_can_be_early() -> None:
    card, clock = Card(), StreamClock()
    feed(clock, card.arrivals(8.0))
    card.start_s -= 0.2
    feed(clock, card.arrivals(1.0))
    assert abs(card.error_s(clock)) < BOUND_S
    assert clock.resyncs == 1


def test_a_late_first_block_is_corrected_by_the_next() -> None:
    card, clock = Card(), StreamClock()
    feed(clock, card.stalled(0.4))
    assert abs(card.error_s(clock)) < BOUND_S


def test_a_gap_without_blocks_is_extrapolated_by_the_known_drift() -> None:
    card, clock = Card(drift_ppm=200.0), StreamClock()
    feed(clock, card.arrivals(60.0))
    later_s = card.blocks * BLOCK_S + 5.0
    assert clock.host_time(later_s) == pytest.approx(card.true_host_time(later_s), abs=BOUND_S)


@settings(max_examples=50)
@given(st.integers(0, 2**32), st.floats(0, 20), st.floats(-1e4, 1e4))
def test_the_two_directions_are_inverse(seed: int, duration_s: float, stream_s: float) -> None:
    card, clock = Card(seed, drift_ppm=100.0), StreamClock()
    feed(clock, card.arrivals(0.1 + duration_s))
    assert clock.stream_time(clock.host_time(stream_s)) == pytest.approx(stream_s, abs=1e-6)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), max_size=60))
def test_any_observations_leave_a_usable_clock(
    observations: list[tuple[float, float]],
) -> None:
    clock = StreamClock()
    for arrived_s, stream_end_s in observations:
        clock.observe(arrived_s, stream_end_s)
        assert clock.stream_time(arrived_s + 1.0) > clock.stream_time(arrived_s)
        assert abs(clock.drift_ppm) < 1100


def test_the_clock_is_undefined_before_the_first_block_and_after_a_reset() -> None:
    clock = StreamClock()
    assert not clock.is_synchronised
    with pytest.raises(ValueError, match="no block"):
        clock.stream_time(0.0)
    clock.observe(5.0, 0.01)
    assert clock.is_synchronised
    assert clock.stream_time(6.0) == pytest.approx(1.01)
    clock.reset()
    assert not clock.is_synchronised
    assert clock.drift_ppm == 0.0


RATE_HZ = 1000


@given(
    st.lists(st.integers(0, RATE_HZ), max_size=20),
    st.integers(-RATE_HZ, 20 * RATE_HZ),
    st.integers(0, 3 * RATE_HZ),
)
def test_the_ring_returns_what_was_written(sizes: list[int], start: int, count: int) -> None:
    history = AudioHistory(RATE_HZ)
    whole = np.arange(1, sum(sizes) + 1, dtype=np.float32)
    for piece in np.split(whole, np.cumsum(sizes)[:-1]) if sizes else []:
        history.write(piece)
    first_kept = max(0, len(whole) - (HISTORY_S - GUARD_S) * RATE_HZ)
    assert (history.begin, history.end) == (first_kept, len(whole))
    expected = [n + 1 if first_kept <= n < len(whole) else 0 for n in range(start, start + count)]
    assert history.read(start, count).tolist() == expected
