import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bridge.face.timeline import CAPACITY_ROWS, LATE_LIMIT_S, ROW_RATE_HZ, Reach, Timeline


def ramp(rows: int, first_row: int = 0) -> Timeline:
    """A timeline whose one channel is the number of its row."""
    timeline = Timeline(channels=1, first_row=first_row)
    for row in range(first_row, first_row + rows):
        timeline.append(np.array([row], dtype=np.float32))
    return timeline


def test_before_the_first_row_there_is_no_face() -> None:
    assert Timeline(channels=3).at(0.0) == (None, Reach.EARLY)
    assert ramp(5).at(-0.001) == (None, Reach.EARLY)


@given(st.integers(1, 3 * CAPACITY_ROWS), st.integers(-12, 0), st.floats(0.0, 1.0))
def test_a_face_between_rows_is_interpolated(rows: int, first_row: int, share: float) -> None:
    timeline = ramp(rows, first_row)
    newest = first_row + rows - 1
    position = max(float(first_row), newest - 20.0 * share)
    values, reach = timeline.at(position / ROW_RATE_HZ)
    assert reach is Reach.LIVE
    assert values is not None
    np.testing.assert_allclose(values, [position], atol=2e-3)
    assert timeline.late_reads == 0


def test_a_read_past_the_newest_row_holds_it_and_is_counted() -> None:
    timeline = ramp(10)
    values, reach = timeline.at(timeline.newest_s + 0.01)
    assert (reach, timeline.late_reads) == (Reach.LATE, 1)
    assert values == np.float32(9)


def test_a_stream_that_stands_still_is_not_counted_as_late() -> None:
    timeline = ramp(10)
    values, reach = timeline.at(timeline.newest_s + LATE_LIMIT_S + 0.01)
    assert (reach, timeline.late_reads) == (Reach.ABSENT, 0)
    assert values == np.float32(9)


def test_a_read_older_than_the_ring_gives_its_oldest_row() -> None:
    timeline = ramp(4 * CAPACITY_ROWS)
    values, reach = timeline.at(0.0)
    assert reach is Reach.LIVE
    assert values is not None
    assert values[0] >= 3 * CAPACITY_ROWS


def test_a_face_that_was_read_does_not_change_when_rows_follow() -> None:
    timeline = ramp(10)
    values, _ = timeline.at(timeline.newest_s + 0.01)
    assert values is not None
    for _ in range(2 * CAPACITY_ROWS):
        timeline.append(np.array([-1], dtype=np.float32))
    assert values[0] == np.float32(9)
