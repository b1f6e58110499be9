"""Rings of measurements, rates, losses and tick counters, all bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.monitor.metrics import (
    DROP_CAUSES,
    LATENCY_PARTS,
    MAX_NOTICES,
    RATE_CAPACITY,
    RATE_WINDOW_S,
    Percentiles,
    Rate,
    ShownFaces,
)
from cstalk_bridge.rig.curves import Showing
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.monitor.faces import metrics, play, subject

if TYPE_CHECKING:
    from cstalk_bridge.timecode.smpte import FrameRate


def test_without_measurements_statistics_are_empty() -> None:
    assert Percentiles().spread() is None


def test_only_the_newest_measurements_count() -> None:
    ring = Percentiles(capacity=4)
    for value_s in (9.0, 9.0, 1.0, 2.0, 3.0, 4.0):
        ring.add(value_s)
    spread = ring.spread()
    assert spread is not None
    assert (spread.median_s, spread.worst_s, spread.count) == (2.5, 4.0, 6)


def test_the_newest_measurements_can_be_read() -> None:
    ring = Percentiles(capacity=8)
    for value_s in (9.0, 9.0, 9.0, 1.0, 2.0, 3.0):
        ring.add(value_s)
    newest = ring.spread(3)
    assert newest is not None
    assert (newest.median_s, newest.worst_s) == (2.0, 3.0)
    assert ring.spread(100) == ring.spread()


@given(st.lists(st.floats(0, 10), min_size=1, max_size=600), st.integers(1, 700))
def test_the_spread_covers_the_newest_measurements_only(values: list[float], newest: int) -> None:
    ring, alone = Percentiles(), Percentiles()
    for value_s in values:
        ring.add(value_s)
    for value_s in values[-newest:]:
        alone.add(value_s)
    expected, found = alone.spread(), ring.spread(newest)
    assert expected is not None
    assert found is not None
    assert (found.median_s, found.p99_s, found.worst_s) == (
        expected.median_s,
        expected.p99_s,
        expected.worst_s,
    )


def test_ticks_are_live_held_or_resting() -> None:
    shown = ShownFaces()
    for tick, late_s in enumerate([0.0, 0.0, 0.01, 0.03, 0.02, float("inf")]):
        shown.add(5.0 + tick / 60, late_s)
    recent = shown.recent(5.1)
    assert (recent.live, recent.held, recent.resting, recent.missed) == (2, 3, 1, 4)
    assert recent.behind_s == 0.02
    none = shown.recent(5.0 + 5 / 60 + RATE_WINDOW_S)
    assert (none.live, none.missed, none.behind_s) == (0, 0, 0.0)


@pytest.mark.parametrize("rate", FRAME_RATES.values(), ids=str)
def test_every_tick_of_two_seconds_is_remembered_at_every_frame_rate(rate: FrameRate) -> None:
    shown = ShownFaces()
    ticks = int(10 * rate.hz)
    for tick in range(ticks):
        shown.add(tick / rate.hz, 0.01)
    expected = sum(tick / rate.hz > (ticks - 1) / rate.hz - RATE_WINDOW_S for tick in range(ticks))
    assert shown.recent((ticks - 1) / rate.hz).held == expected


@given(st.lists(st.floats(0, 10), min_size=1, max_size=600))
def test_the_median_lies_within_the_measurements(values: list[float]) -> None:
    ring = Percentiles()
    for value_s in values:
        ring.add(value_s)
    spread = ring.spread()
    assert spread is not None
    assert min(values) - 1e-5 <= spread.median_s <= spread.p99_s <= spread.worst_s + 1e-9


def test_the_rate_covers_the_last_two_seconds() -> None:
    rate = Rate()
    for tick in range(1200):
        rate.read(tick / 60, tick if tick < 600 else 600 + 2 * (tick - 600))
    assert rate.per_second(1199 / 60) == pytest.approx(120.0)


def test_a_counter_that_is_no_longer_read_has_no_rate() -> None:
    rate = Rate()
    for tick in range(60):
        rate.read(tick / 60, tick)
    assert rate.per_second(10.0) == 0.0
    assert rate.recent(10.0) == 0


def test_old_losses_leave_the_window() -> None:
    rate = Rate()
    rate.add(0.0, 5)
    rate.add(10.0)
    assert (rate.total, rate.recent(10.5), rate.recent(12.5)) == (6, 1, 0)


def test_the_first_loss_counts() -> None:
    rate = Rate()
    rate.add(1.0, 3)
    assert rate.recent(1.1) == 3


def test_a_full_ring_of_fresh_losses_stays_bounded() -> None:
    rate = Rate()
    for number in range(1000):
        rate.add(5.0 + number * 1e-4)
    assert rate.total == 1000
    assert rate.recent(5.2) == RATE_CAPACITY - 2


def test_notices_are_bounded_and_numbered() -> None:
    running = metrics()
    for number in range(MAX_NOTICES + 8):
        running.notice(float(number), f"thing {number}")
    notices = running.notices()
    assert len(notices) == MAX_NOTICES
    assert notices[-1].text == f"thing {MAX_NOTICES + 7}"
    assert running.notices(after=notices[-2].number) == (notices[-1],)


def test_latency_parts_and_causes_are_complete() -> None:
    one = subject()
    assert tuple(one.latency) == tuple(LATENCY_PARTS)
    assert tuple(one.drops) == tuple(DROP_CAUSES)
    with pytest.raises(KeyError):
        one.record_latency("luck", 1.0)
    with pytest.raises(KeyError):
        one.record_drop("luck", 1.0)


def test_a_tick_that_misses_its_face_is_counted_unless_no_sound_comes() -> None:
    one = subject()
    for showing, late_s in (
        (Showing.RESTING, 0.0),
        (Showing.LIVE, 0.0),
        (Showing.HELD, 0.02),
        (Showing.RESTING, 0.7),
    ):
        one.record_shown(showing, late_s, 1.0)
    assert one.drops["late"].total == 2
    shown = one.shown.recent(1.0)
    assert (shown.live, shown.held, shown.resting, shown.behind_s) == (1, 1, 1, 0.02)
    one.starved_since_s = 0.5
    one.record_shown(Showing.RESTING, 0.9, 1.1)
    assert one.drops["late"].total == 2


def test_packets_are_counted_per_link() -> None:
    running = metrics(subject(links=2))
    now_s = play(running)
    speeds = [link.packets.per_second(now_s) for link in running.subjects[0].links]
    assert speeds == [pytest.approx(60.0), pytest.approx(60.0)]
