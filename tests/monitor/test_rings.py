"""Bounded rings of measurements."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.monitor.rings import RATE_CAPACITY, Percentiles, Rate


def test_nothing_measured_is_nothing() -> None:
    assert Percentiles().spread() is None


def test_only_the_newest_measurements_count() -> None:
    ring = Percentiles(capacity=4)
    for value_s in (9.0, 9.0, 1.0, 2.0, 3.0, 4.0):
        ring.add(value_s)
    spread = ring.spread()
    assert spread is not None
    assert (spread.median_s, spread.worst_s, spread.count) == (2.5, 4.0, 6)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=600))
def test_the_median_is_within_what_was_measured(values: list[float]) -> None:
    ring = Percentiles()
    for value_s in values:
        ring.add(value_s)
    spread = ring.spread()
    assert spread is not None
    assert min(values) - 1e-5 <= spread.median_s <= spread.p99_s <= spread.worst_s + 1e-9


def test_speed_is_that_of_the_last_two_seconds() -> None:
    rate = Rate()
    for tick in range(1200):
        rate.read(tick / 60, tick if tick < 600 else 600 + 2 * (tick - 600))
    assert rate.per_second(1199 / 60) == pytest.approx(120.0)


def test_a_counter_that_is_no_longer_read_has_no_speed() -> None:
    rate = Rate()
    for tick in range(60):
        rate.read(tick / 60, tick)
    assert rate.per_second(10.0) == 0.0
    assert rate.recent(10.0) == 0


def test_recent_losses_leave_the_window() -> None:
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
