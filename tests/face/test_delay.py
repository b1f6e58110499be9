"""A look-ahead that changes: faces stay in order, and rows are there before they are read."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.audio.hop import HOP_S
from bridge.face.buffer import FixedBuffer
from bridge.face.delay import SLEW, Delay

HOPS = st.integers(0, 12)
TIMES_S = [0.001 * step for step in range(2000)]


def test_a_delay_is_look_ahead_one_hop_and_buffer() -> None:
    delay = Delay(0.08, FixedBuffer(0.01))
    assert delay.at(5.0) == pytest.approx(0.11)
    assert delay.beyond_lookahead_at(5.0) == pytest.approx(0.03)
    assert delay.hops_at(5.0) == 4


@given(HOPS, HOPS)
def test_it_goes_over_at_a_set_pace_and_arrives(before: int, after: int) -> None:
    delay = Delay(before * HOP_S, FixedBuffer(0.0))
    delay.change(after * HOP_S, 0.0)
    shown = [delay.at(time_s) for time_s in TIMES_S]
    steps = [abs(b - a) for a, b in pairwise(shown)]
    assert max(steps) <= SLEW * 0.001 + 1e-9
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


def test_a_change_within_a_change_goes_on_from_where_it_is() -> None:
    delay = Delay(0.0, FixedBuffer(0.0))
    delay.change(0.2, 10.0)
    halfway = delay.at(10.5)
    delay.change(0.0, 10.5)
    assert delay.at(10.5) == pytest.approx(halfway)
    assert delay.at(10.6) < halfway
    assert delay.at(11.1) == pytest.approx(HOP_S)
