"""Timelines of faces and prosody, the adaptive buffer, and the delay, on a simulated clock."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cstalk_bridge.audio.source import HOP_S
from cstalk_bridge.face.procedural.prosody import SILENCE, Prosody
from cstalk_bridge.face.timeline import (
    BUFFER_MARGIN_S,
    BUFFER_SHRINK,
    CAPACITY_HOPS,
    CAPACITY_ROWS,
    LOOKAHEAD_SLEW,
    MAX_BUFFER_S,
    MEMORY_S,
    MIN_BUFFER_S,
    STALE_S,
    STALL_S,
    START_BUFFER_S,
    TOLERATED_LATE_ROWS,
    WARM_UP_S,
    AdaptiveBuffer,
    Delay,
    FixedBuffer,
    ProsodyLine,
    ReadTiming,
    Timeline,
)
from cstalk_bridge.models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cstalk_bridge.face.timeline import Buffer


def ramp(rows: int, first_row: int = 0) -> Timeline:
    """A timeline whose one channel is the number of its row."""
    timeline = Timeline(channels=1)
    for row in range(first_row, first_row + rows):
        timeline.put(row, np.array([row], dtype=np.float32))
    return timeline


def test_before_the_first_row_there_is_no_face() -> None:
    assert Timeline(channels=3).at(0.0).timing is ReadTiming.EARLY
    assert ramp(5).at(-0.001).timing is ReadTiming.EARLY


@given(st.integers(1, 3 * CAPACITY_ROWS), st.integers(-12, 0), st.floats(0.0, 1.0))
def test_a_face_between_rows_is_interpolated(rows: int, first_row: int, share: float) -> None:
    timeline = ramp(rows, first_row)
    newest = first_row + rows - 1
    position = max(float(first_row), newest - 20.0 * share)
    reading = timeline.at(position / ROW_RATE_HZ)
    values, timing = reading.values, reading.timing
    assert timing is ReadTiming.LIVE
    assert values is not None
    np.testing.assert_allclose(values, [position], atol=2e-3)
    assert reading.late_s == 0.0


@given(st.floats(1e-4, 3600.0))
def test_a_read_past_the_newest_row_holds_it_and_reports_its_lateness(late_s: float) -> None:
    timeline = ramp(9)
    timeline.put(9, np.array([9], dtype=np.float32), received_s=10.0, ready_s=10.5)
    reading = timeline.at(timeline.newest_s + late_s)
    assert reading.timing is ReadTiming.LATE
    assert reading.values == np.float32(9)
    assert reading.late_s == pytest.approx(late_s, abs=1e-9)
    assert (reading.received_s, reading.ready_s) == (10.0, 10.5)


def test_a_read_older_than_the_ring_gives_its_oldest_row() -> None:
    timeline = ramp(4 * CAPACITY_ROWS)
    reading = timeline.at(0.0)
    values, timing = reading.values, reading.timing
    assert timing is ReadTiming.LIVE
    assert values is not None
    assert values[0] >= 3 * CAPACITY_ROWS


def test_a_face_already_read_does_not_change_when_rows_follow() -> None:
    timeline = ramp(10)
    values = timeline.at(timeline.newest_s + 0.01).values
    assert values is not None
    for row in range(10, 10 + 2 * CAPACITY_ROWS):
        timeline.put(row, np.array([-1], dtype=np.float32))
    assert values[0] == np.float32(9)


def test_a_reading_has_the_input_and_generation_time_of_its_later_row() -> None:
    timeline = Timeline(channels=1)
    for row in range(4):
        timeline.put(row, np.zeros(1, dtype=np.float32), received_s=10.0 + row, ready_s=10.5 + row)
    reading = timeline.at(1.5 / ROW_RATE_HZ)
    assert (reading.received_s, reading.ready_s) == (12.0, 12.5)


@given(st.integers(2, 3 * CAPACITY_ROWS))
def test_skipped_rows_lie_on_the_line_to_the_next(step: int) -> None:
    timeline = ramp(10)
    timeline.put(9 + step, np.array([9 + step], dtype=np.float32))
    for ago in range(min(step, CAPACITY_ROWS // 2 - 1)):
        values = timeline.at((9 + step - ago) / ROW_RATE_HZ).values
        assert values is not None
        if step < CAPACITY_ROWS:
            np.testing.assert_allclose(values, [9 + step - ago], rtol=1e-4)


def test_an_existing_row_is_replaced_and_later_ones_stay() -> None:
    timeline = ramp(10)
    timeline.put(7, np.array([100], dtype=np.float32))
    found = [timeline.at(row / ROW_RATE_HZ).values for row in (6, 7, 8, 9)]
    assert [value.item() for value in found if value is not None] == [6, 100, 8, 9]
    timeline.put(10, None)
    held = timeline.at(10 / ROW_RATE_HZ).values
    assert held is not None
    assert held.item() == 9


def test_prosody_is_read_at_a_stream_time() -> None:
    line = ProsodyLine()
    assert line.at(0.0) is SILENCE
    hops = [Prosody(level=number / 10) for number in range(5)]
    for index, hop in enumerate(hops):
        line.put(index, hop)
    assert line.at(-0.1) is SILENCE
    assert line.at(0.0) is hops[0]
    assert line.at(0.05) is hops[2]
    assert line.at(0.1 + 0.9 * STALE_S) is hops[4]


def test_a_voice_without_further_input_is_silent() -> None:
    line = ProsodyLine()
    line.put(0, Prosody(level=0.9, melody=3.0, stresses=4, pause_s=0.0))
    later = line.at(HOP_S + 2.0)
    assert not later.is_speaking
    assert (later.level, later.melody, later.stresses) == (0.0, 0.0, 4)
    assert later.pause_s == pytest.approx(2.0)


def test_prosody_older_than_half_its_ring_is_dropped() -> None:
    line = ProsodyLine()
    hops = [Prosody(stresses=number) for number in range(2 * CAPACITY_HOPS)]
    for index, hop in enumerate(hops):
        line.put(index, hop)
    assert line.at(0.0) is hops[-CAPACITY_HOPS // 2]
    assert line.at((2 * CAPACITY_HOPS - 10.5) * 0.02) is hops[-11]


def test_skipped_hops_repeat_the_one_before() -> None:
    line = ProsodyLine()
    first, later, last = Prosody(level=0.1), Prosody(level=0.2), Prosody(level=0.3)
    line.put(0, first)
    line.put(4, later)
    assert [line.at(0.02 * hop + 0.01) for hop in range(5)] == [first] * 4 + [later]
    line.put(10 * CAPACITY_HOPS, last)
    assert line.at(0.02 * (10 * CAPACITY_HOPS - 1) + 0.01) is later
    assert line.at(0.02 * 10 * CAPACITY_HOPS + 0.01) is last


BEGIN_S = 1000.25
NEEDS = st.lists(
    st.one_of(st.floats(-0.01, 0.2), st.floats(-0.001, 0.01), st.just(3.0)), max_size=2000
)


def play(buffer: Buffer, needs_s: Iterable[float], start_s: float = BEGIN_S) -> float:
    """Make one row per hop with a lateness of `needs_s`; return the time of the last."""
    now_s = start_s
    for number, need_s in enumerate(needs_s):
        now_s = start_s + number * HOP_S
        buffer.observe(need_s, now_s)
    return now_s


def buffer_lengths(buffer: Buffer, needs_s: Iterable[float], start_s: float) -> list[float]:
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


def test_a_fixed_buffer_stays_constant() -> None:
    buffer = FixedBuffer(0.012)
    end_s = play(buffer, [0.1, 3.0, 0.0] * 300)
    assert not buffer.is_adaptive
    assert {buffer.at(at_s) for at_s in (0.0, BEGIN_S, end_s, 1e6)} == {0.012}


def test_an_adaptive_buffer_starts_short() -> None:
    assert AdaptiveBuffer().is_adaptive
    assert AdaptiveBuffer().at(BEGIN_S) == START_BUFFER_S


@pytest.mark.parametrize("need_s", [0.012, 0.03, 0.1])
def test_the_buffer_grows_to_what_rows_need_with_the_second_late_one(need_s: float) -> None:
    buffer, now_s = settled()
    buffer.observe(need_s, now_s)
    assert buffer.at(now_s) == START_BUFFER_S
    buffer.observe(need_s, now_s + HOP_S)
    assert buffer.at(now_s + HOP_S) == pytest.approx(need_s + BUFFER_MARGIN_S)


def test_rows_that_are_always_late_are_all_hidden_but_the_first() -> None:
    buffer = AdaptiveBuffer()
    random = np.random.default_rng(2)
    late = []
    for number, need_s in enumerate(random.uniform(0.02, 0.04, hops(60.0))):
        now_s = BEGIN_S + number * HOP_S
        late.append(need_s > buffer.at(now_s))
        buffer.observe(need_s, now_s)
    assert sum(late[hops(WARM_UP_S) :]) < 20
    assert not any(late[hops(20.0) :])
    assert buffer.at(now_s) == pytest.approx(0.04 + BUFFER_MARGIN_S, abs=0.001)


def test_a_single_hiccup_adds_no_delay() -> None:
    assert TOLERATED_LATE_ROWS == 1
    buffer, now_s = settled()
    assert max(buffer_lengths(buffer, [0.08, *[0.001] * hops(MEMORY_S)], now_s)) == START_BUFFER_S


def test_hiccups_further_apart_than_the_memory_add_no_delay() -> None:
    buffer, now_s = settled()
    for _ in range(4):
        needs_s = [0.08, *[0.001] * hops(MEMORY_S + 1.0)]
        assert max(buffer_lengths(buffer, needs_s, now_s)) <= START_BUFFER_S
        now_s += len(needs_s) * HOP_S


@pytest.mark.parametrize("stall_s", [STALL_S + 0.001, 3.0, 60.0])
def test_a_stall_adds_no_delay(stall_s: float) -> None:
    buffer, now_s = settled()
    now_s += stall_s
    # One call may catch up with all of it, or a few do.
    needs_s = [stall_s, stall_s, stall_s, *[0.001] * hops(2.0)]
    assert max(buffer_lengths(buffer, needs_s, now_s)) == START_BUFFER_S


def test_rows_of_the_cold_start_do_not_count() -> None:
    buffer = AdaptiveBuffer()
    end_s = play(buffer, [0.1] * hops(WARM_UP_S))
    assert buffer.at(end_s) == START_BUFFER_S
    play(buffer, [0.1, 0.1], end_s + HOP_S)
    assert buffer.at(end_s + 2 * HOP_S) == pytest.approx(0.1 + BUFFER_MARGIN_S)


def test_the_buffer_shrinks_by_5_ms_a_second_after_ten_seconds_without_late_rows() -> None:
    assert (BUFFER_SHRINK, MEMORY_S) == (0.005, 10.0)
    buffer, now_s = settled()
    late_s = play(buffer, [0.048, 0.048], now_s)
    lengths = np.array(buffer_lengths(buffer, [0.001] * hops(60.0), late_s + HOP_S))
    full = lengths >= 0.05 - 1e-9
    # A row counts to the end of a second of the clock.
    assert MEMORY_S - 1.0 <= full.sum() * HOP_S <= MEMORY_S + 1.0
    falling = lengths[(lengths < 0.049) & (lengths > 0.004)]
    np.testing.assert_allclose(np.diff(falling), -BUFFER_SHRINK * HOP_S, rtol=1e-6)
    assert lengths[-1] == MIN_BUFFER_S


def test_the_buffer_falls_to_its_minimum_and_rises_to_its_maximum() -> None:
    assert (MIN_BUFFER_S, MAX_BUFFER_S) == (0.003, 0.120)
    buffer, now_s = settled(-0.004, seconds=60.0)
    assert buffer.at(now_s) == MIN_BUFFER_S
    end_s = play(buffer, [0.4] * 10, now_s)
    assert buffer.at(end_s) == MAX_BUFFER_S


@given(NEEDS, st.floats(0.0, 1e6))
def test_the_buffer_stays_within_bounds_and_rises_only_for_late_rows(
    needs_s: list[float], start_s: float
) -> None:
    buffer = AdaptiveBuffer()
    for number, need_s in enumerate(needs_s):
        now_s = start_s + number * HOP_S
        buffer.observe(need_s, now_s)
        between = [buffer.at(now_s + share * HOP_S) for share in (0.0, 0.3, 0.7, 1.0)]
        assert min(between) >= MIN_BUFFER_S
        assert max(between) <= MAX_BUFFER_S
        for earlier, later in pairwise(between):
            assert earlier - BUFFER_SHRINK * 0.4 * HOP_S - 1e-9 <= later <= earlier


@given(NEEDS)
def test_the_buffer_shrinks_no_faster_than_its_rate(needs_s: list[float]) -> None:
    buffer, now_s = settled(0.05)
    for earlier, later in pairwise(buffer_lengths(buffer, needs_s, now_s)):
        assert later >= earlier - BUFFER_SHRINK * HOP_S - 1e-9


def shown_positions(needs_s: list[float], tick_s: float, buffer: Buffer) -> list[float]:
    """Make a row a hop that is late by so much, and read the face each tick; return its position.

    Row k is of stream time k hops, and complete at host time k hops; its value is k.
    """
    delay = Delay(0.0, buffer)
    timeline = Timeline(channels=1)
    # Rows are made in order, so none is there before the row before it.
    ready_s = np.maximum.accumulate(
        [number * HOP_S + max(need_s, 0.0) for number, need_s in enumerate(needs_s)]
    )
    events: list[tuple[float, Callable[[], None]]] = []
    shown: list[float] = []

    def make(number: int, at_s: float) -> None:
        buffer.observe(at_s - number * HOP_S, at_s)
        timeline.put(number, np.array([number], dtype=np.float32), ready_s=at_s)

    def show(at_s: float) -> None:
        reading = timeline.at(at_s - delay.at(at_s))
        if reading.values is not None:
            assert reading.timing in {ReadTiming.LIVE, ReadTiming.LATE}
            shown.append(float(reading.values[0]))

    for number, at_s in enumerate(ready_s.tolist()):
        events.append((at_s, partial(make, number, at_s)))
    ticks = [tick * tick_s for tick in range(round(len(needs_s) * HOP_S / tick_s))]
    events += [(at_s, partial(show, at_s)) for at_s in ticks]
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
def test_a_changing_buffer_never_shows_a_face_twice(needs_s: list[float], tick_s: float) -> None:
    """The time shown never goes back: it stands at the newest row while rows are late."""
    shown = shown_positions(needs_s, tick_s, AdaptiveBuffer())
    steps = np.diff(shown)
    assert steps.min(initial=0.0) >= -1e-3


def test_a_face_continues_from_the_newest_row_without_a_step() -> None:
    """Rows come 30 ms late from one moment on; nothing is skipped, nothing is shown twice over."""
    needs_s = [0.001] * 100 + [0.03] * 200
    tick_s = 1 / 60
    steps = np.diff(shown_positions(needs_s, tick_s, AdaptiveBuffer())) * HOP_S / tick_s
    after = steps[round(2.3 / tick_s) :]
    np.testing.assert_allclose(after, 1.0, atol=0.01)
    assert steps.max() < 2.3, "no more than the rows that were late are made up"


HOPS = st.integers(0, 12)
TIMES_S = [0.001 * step for step in range(2000)]


def test_a_delay_is_look_ahead_one_hop_and_buffer() -> None:
    delay = Delay(0.08, FixedBuffer(0.01))
    assert delay.at(5.0) == pytest.approx(0.11)
    assert delay.beyond_lookahead_at(5.0) == pytest.approx(0.03)
    assert delay.hops_at(5.0) == 4


@given(HOPS, HOPS)
def test_the_delay_changes_at_a_fixed_rate_and_arrives(before: int, after: int) -> None:
    delay = Delay(before * HOP_S, FixedBuffer(0.0))
    delay.change(after * HOP_S, 0.0)
    shown = [delay.at(time_s) for time_s in TIMES_S]
    steps = [abs(b - a) for a, b in pairwise(shown)]
    assert max(steps) <= LOOKAHEAD_SLEW * 0.001 + 1e-9
    assert delay.lookahead_s == after * HOP_S
    assert delay.at(2.0) == pytest.approx((after + 1) * HOP_S)
    assert delay.hops_at(2.0) == after


@given(HOPS, HOPS)
def test_rows_are_made_before_they_are_shown_and_one_hop_at_a_time(before: int, after: int) -> None:
    delay = Delay(before * HOP_S, FixedBuffer(0.0))
    delay.change(after * HOP_S, 0.0)
    made = [delay.hops_at(time_s) for time_s in TIMES_S]
    read_later_s = 0.025
    for time_s, hops in zip(TIMES_S, made, strict=True):
        shown_s = delay.at(time_s + read_later_s) - delay.beyond_lookahead_at(time_s)
        assert hops * HOP_S <= shown_s + 1e-6
    assert max(abs(b - a) for a, b in pairwise(made)) <= 1


def test_a_change_during_a_change_continues_from_the_current_delay() -> None:
    delay = Delay(0.0, FixedBuffer(0.0))
    delay.change(0.2, 10.0)
    halfway = delay.at(10.5)
    delay.change(0.0, 10.5)
    assert delay.at(10.5) == pytest.approx(halfway)
    assert delay.at(10.6) < halfway
    assert delay.at(11.1) == pytest.approx(HOP_S)
