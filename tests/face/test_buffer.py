"""The buffer that is as long as rows have lately needed, on a clock that is set by hand."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.audio.hop import HOP_S
from bridge.face.buffer import (
    LEAST_S,
    MARGIN_S,
    MEMORY_S,
    MOST_S,
    SETTLING_S,
    SHRINK,
    STALL_S,
    START_S,
    TOLERATED,
    AdaptiveBuffer,
    FixedBuffer,
)
from bridge.face.delay import Delay
from bridge.face.timeline import Reach, Timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.face.buffer import Buffer

BEGIN_S = 1000.25
NEEDS = st.lists(
    st.one_of(st.floats(-0.01, 0.2), st.floats(-0.001, 0.01), st.just(3.0)), max_size=2000
)


def play(buffer: Buffer, needs_s: Iterable[float], start_s: float = BEGIN_S) -> float:
    """Let a row be made every hop that was late by so much; return the time of the last."""
    now_s = start_s
    for number, need_s in enumerate(needs_s):
        now_s = start_s + number * HOP_S
        buffer.observe(need_s, now_s)
    return now_s


def course(buffer: Buffer, needs_s: Iterable[float], start_s: float) -> list[float]:
    """Play rows, and return the buffer as it is after each."""
    lengths_s = []
    for number, need_s in enumerate(needs_s):
        play(buffer, [need_s], start_s + number * HOP_S)
        lengths_s.append(buffer.at(start_s + number * HOP_S))
    return lengths_s


def hops(seconds: float) -> int:
    return round(seconds / HOP_S)


def settled(need_s: float = 0.001, seconds: float = 5.0) -> tuple[AdaptiveBuffer, float]:
    """Return a buffer that has seen such rows for so long, and the time of the next."""
    buffer = AdaptiveBuffer()
    return buffer, play(buffer, [need_s] * hops(seconds)) + HOP_S


def test_a_fixed_buffer_stays_as_it_was_set() -> None:
    buffer = FixedBuffer(0.012)
    end_s = play(buffer, [0.1, 3.0, 0.0] * 300)
    assert not buffer.is_adaptive
    assert {buffer.at(at_s) for at_s in (0.0, BEGIN_S, end_s, 1e6)} == {0.012}


def test_it_starts_short() -> None:
    assert AdaptiveBuffer().is_adaptive
    assert AdaptiveBuffer().at(BEGIN_S) == START_S


@pytest.mark.parametrize("need_s", [0.012, 0.03, 0.1])
def test_it_grows_to_what_rows_need_with_the_second_of_them(need_s: float) -> None:
    buffer, now_s = settled()
    buffer.observe(need_s, now_s)
    assert buffer.at(now_s) == START_S
    buffer.observe(need_s, now_s + HOP_S)
    assert buffer.at(now_s + HOP_S) == pytest.approx(need_s + MARGIN_S)


def test_rows_that_are_always_late_are_all_hidden_but_the_first() -> None:
    buffer = AdaptiveBuffer()
    random = np.random.default_rng(2)
    late = []
    for number, need_s in enumerate(random.uniform(0.02, 0.04, hops(60.0))):
        now_s = BEGIN_S + number * HOP_S
        late.append(need_s > buffer.at(now_s))
        buffer.observe(need_s, now_s)
    assert sum(late[hops(SETTLING_S) :]) < 20
    assert not any(late[hops(20.0) :])
    assert buffer.at(now_s) == pytest.approx(0.04 + MARGIN_S, abs=0.001)


def test_a_single_hiccup_makes_no_delay() -> None:
    assert TOLERATED == 1
    buffer, now_s = settled()
    assert max(course(buffer, [0.08, *[0.001] * hops(MEMORY_S)], now_s)) == START_S


def test_hiccups_that_are_further_apart_than_it_remembers_make_no_delay() -> None:
    buffer, now_s = settled()
    for _ in range(4):
        needs_s = [0.08, *[0.001] * hops(MEMORY_S + 1.0)]
        assert max(course(buffer, needs_s, now_s)) <= START_S
        now_s += len(needs_s) * HOP_S


@pytest.mark.parametrize("stall_s", [STALL_S + 0.001, 3.0, 60.0])
def test_a_stall_makes_no_delay(stall_s: float) -> None:
    buffer, now_s = settled()
    now_s += stall_s
    # One call may catch up with all of it, or a few do.
    needs_s = [stall_s, stall_s, stall_s, *[0.001] * hops(2.0)]
    assert max(course(buffer, needs_s, now_s)) == START_S


def test_rows_of_the_cold_start_do_not_count() -> None:
    buffer = AdaptiveBuffer()
    end_s = play(buffer, [0.1] * hops(SETTLING_S))
    assert buffer.at(end_s) == START_S
    play(buffer, [0.1, 0.1], end_s + HOP_S)
    assert buffer.at(end_s + 2 * HOP_S) == pytest.approx(0.1 + MARGIN_S)


def test_it_gives_up_5_ms_a_second_once_nothing_was_late_for_ten_seconds() -> None:
    assert (SHRINK, MEMORY_S) == (0.005, 10.0)
    buffer, now_s = settled()
    late_s = play(buffer, [0.048, 0.048], now_s)
    lengths = np.array(course(buffer, [0.001] * hops(60.0), late_s + HOP_S))
    full = lengths >= 0.05 - 1e-9
    # A row counts to the end of a second of the clock.
    assert MEMORY_S - 1.0 <= full.sum() * HOP_S <= MEMORY_S + 1.0
    falling = lengths[(lengths < 0.049) & (lengths > 0.004)]
    np.testing.assert_allclose(np.diff(falling), -SHRINK * HOP_S, rtol=1e-6)
    assert lengths[-1] == LEAST_S


def test_it_falls_to_the_least_and_rises_to_the_most() -> None:
    assert (LEAST_S, MOST_S) == (0.003, 0.120)
    buffer, now_s = settled(-0.004, seconds=60.0)
    assert buffer.at(now_s) == LEAST_S
    end_s = play(buffer, [0.4] * 10, now_s)
    assert buffer.at(end_s) == MOST_S


@given(NEEDS, st.floats(0.0, 1e6))
def test_it_stays_within_its_bounds_and_never_rises_by_itself(
    needs_s: list[float], start_s: float
) -> None:
    buffer = AdaptiveBuffer()
    for number, need_s in enumerate(needs_s):
        now_s = start_s + number * HOP_S
        buffer.observe(need_s, now_s)
        between = [buffer.at(now_s + share * HOP_S) for share in (0.0, 0.3, 0.7, 1.0)]
        assert min(between) >= LEAST_S
        assert max(between) <= MOST_S
        for earlier, later in pairwise(between):
            assert earlier - SHRINK * 0.4 * HOP_S - 1e-9 <= later <= earlier


@given(NEEDS)
def test_it_falls_no_faster_than_it_may(needs_s: list[float]) -> None:
    buffer, now_s = settled(0.05)
    for earlier, later in pairwise(course(buffer, needs_s, now_s)):
        assert later >= earlier - SHRINK * HOP_S - 1e-9


def shown_positions(needs_s: list[float], tick_s: float, buffer: Buffer) -> list[float]:
    """Make a row a hop that is late by so much, and read the face each tick; return its position.

    Row k is of stream time k hops, and complete at host time k hops; its value is k.
    """
    delay = Delay(0.0, buffer)
    timeline = Timeline(channels=1)
    # Rows are made in order, so none is there before the row before it.
    made_s = np.maximum.accumulate(
        [number * HOP_S + max(need_s, 0.0) for number, need_s in enumerate(needs_s)]
    )
    events: list[tuple[float, Callable[[], None]]] = []
    shown: list[float] = []

    def make(number: int, at_s: float) -> None:
        buffer.observe(at_s - number * HOP_S, at_s)
        timeline.put(number, np.array([number], dtype=np.float32), made_s=at_s)

    def show(at_s: float) -> None:
        reading = timeline.at(at_s - delay.at(at_s))
        if reading.values is not None:
            assert reading.reach in {Reach.LIVE, Reach.LATE}
            shown.append(float(reading.values[0]))

    for number, at_s in enumerate(made_s.tolist()):
        events.append((at_s, lambda number=number, at_s=at_s: make(number, at_s)))
    ticks = [tick * tick_s for tick in range(round(len(needs_s) * HOP_S / tick_s))]
    events += [(at_s, lambda at_s=at_s: show(at_s)) for at_s in ticks]
    for _, act in sorted(events, key=lambda event: event[0]):
        act()
    return shown


@given(
    st.lists(
        st.one_of(st.floats(0.0, 0.006), st.floats(0.0, 0.15), st.just(1.0)),
        min_size=50,
        max_size=400,
    ),
    st.sampled_from([1 / 24, 1 / 60, 1 / 120]),
)
@example([0.001] * 40 + [0.03] * 40 + [0.001] * 700, 1 / 60)
def test_a_buffer_that_grows_or_shrinks_never_shows_a_face_twice_over(
    needs_s: list[float], tick_s: float
) -> None:
    """The time shown never goes back: it stands at the newest row while rows are late."""
    shown = shown_positions(needs_s, tick_s, AdaptiveBuffer())
    steps = np.diff(shown)
    assert steps.min(initial=0.0) >= -1e-3


def test_a_face_goes_on_from_the_newest_row_without_a_step() -> None:
    """Rows come 30 ms late from one moment on; nothing is skipped, nothing is shown twice over."""
    needs_s = [0.001] * 100 + [0.03] * 200
    tick_s = 1 / 60
    steps = np.diff(shown_positions(needs_s, tick_s, AdaptiveBuffer())) * HOP_S / tick_s
    after = steps[round(2.3 / tick_s) :]
    np.testing.assert_allclose(after, 1.0, atol=0.01)
    assert steps.max() < 2.3, "no more than the rows that were late are made up"
