import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.face.timeline import CAPACITY_ROWS, Reach, Timeline
from models.timing import ROW_RATE_HZ


def ramp(rows: int, first_row: int = 0) -> Timeline:
    """A timeline whose one channel is the number of its row."""
    timeline = Timeline(channels=1)
    for row in range(first_row, first_row + rows):
        timeline.put(row, np.array([row], dtype=np.float32))
    return timeline


def test_before_the_first_row_there_is_no_face() -> None:
    assert Timeline(channels=3).at(0.0).reach is Reach.EARLY
    assert ramp(5).at(-0.001).reach is Reach.EARLY


@given(st.integers(1, 3 * CAPACITY_ROWS), st.integers(-12, 0), st.floats(0.0, 1.0))
def test_a_face_between_rows_is_interpolated(rows: int, first_row: int, share: float) -> None:
    timeline = ramp(rows, first_row)
    newest = first_row + rows - 1
    position = max(float(first_row), newest - 20.0 * share)
    reading = timeline.at(position / ROW_RATE_HZ)
    values, reach = reading.values, reading.reach
    assert reach is Reach.LIVE
    assert values is not None
    np.testing.assert_allclose(values, [position], atol=2e-3)
    assert reading.late_s == 0.0


@given(st.floats(1e-4, 3600.0))
def test_a_read_past_the_newest_row_holds_it_and_tells_how_late_it_is(late_s: float) -> None:
    timeline = ramp(9)
    timeline.put(9, np.array([9], dtype=np.float32), heard_s=10.0, made_s=10.5)
    reading = timeline.at(timeline.newest_s + late_s)
    assert reading.reach is Reach.LATE
    assert reading.values == np.float32(9)
    assert reading.late_s == pytest.approx(late_s, abs=1e-9)
    assert (reading.heard_s, reading.made_s) == (10.0, 10.5)


def test_a_read_older_than_the_ring_gives_its_oldest_row() -> None:
    timeline = ramp(4 * CAPACITY_ROWS)
    reading = timeline.at(0.0)
    values, reach = reading.values, reading.reach
    assert reach is Reach.LIVE
    assert values is not None
    assert values[0] >= 3 * CAPACITY_ROWS


def test_a_face_that_was_read_does_not_change_when_rows_follow() -> None:
    timeline = ramp(10)
    values = timeline.at(timeline.newest_s + 0.01).values
    assert values is not None
    for row in range(10, 10 + 2 * CAPACITY_ROWS):
        timeline.put(row, np.array([-1], dtype=np.float32))
    assert values[0] == np.float32(9)


def test_a_reading_tells_when_its_later_row_was_heard_and_made() -> None:
    timeline = Timeline(channels=1)
    for row in range(4):
        timeline.put(row, np.zeros(1, dtype=np.float32), heard_s=10.0 + row, made_s=10.5 + row)
    reading = timeline.at(1.5 / ROW_RATE_HZ)
    assert (reading.heard_s, reading.made_s) == (12.0, 12.5)


@given(st.integers(2, 3 * CAPACITY_ROWS))
def test_rows_left_out_lie_on_the_line_to_the_next(step: int) -> None:
    timeline = ramp(10)
    timeline.put(9 + step, np.array([9 + step], dtype=np.float32))
    for ago in range(min(step, CAPACITY_ROWS // 2 - 1)):
        values = timeline.at((9 + step - ago) / ROW_RATE_HZ).values
        assert values is not None
        if step < CAPACITY_ROWS:
            np.testing.assert_allclose(values, [9 + step - ago], rtol=1e-4)


def test_a_row_that_is_there_is_replaced_and_later_ones_stay() -> None:
    timeline = ramp(10)
    timeline.put(7, np.array([100], dtype=np.float32))
    found = [timeline.at(row / ROW_RATE_HZ).values for row in (6, 7, 8, 9)]
    assert [value.item() for value in found if value is not None] == [6, 100, 8, 9]
    timeline.put(10, None)
    held = timeline.at(10 / ROW_RATE_HZ).values
    assert held is not None
    assert held.item() == 9
