"""Long curves drawn with few points."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from cstalk_bridge.plot.panels import column_edges, column_peaks, decimated


@given(npst.arrays(np.float32, st.integers(0, 300), elements=st.floats(-1, 1, width=32)))
def test_a_decimated_curve_keeps_its_extremes_and_its_order(values: np.ndarray) -> None:
    times_s = np.arange(len(values)) / 50
    x, y = decimated(times_s, values, 20)
    assert len(x) == len(y) <= max(40, 0)
    assert (np.diff(x) >= 0).all()
    if len(values):
        assert (y.min(), y.max()) == (values.min(), values.max())


def test_two_hours_become_two_points_a_column() -> None:
    values = np.zeros(360_000, dtype=np.float32)
    values[123_456] = 1.0
    x, y = decimated(np.arange(360_000) / 50, values, 1000)
    assert len(x) == 2000
    assert x[y.argmax()] == 123_456 / 50


@given(st.integers(0, 500), st.integers(1, 60))
def test_no_segment_is_empty(rows: int, columns: int) -> None:
    edges = column_edges(rows, columns)
    assert edges[0] == 0
    assert edges[-1] == rows
    assert (np.diff(edges) > 0).all()


def test_peaks_are_the_maxima_of_each_segment() -> None:
    assert column_peaks(np.array([1, 3, 2, 0], np.float32), 2).tolist() == [3, 2]
    assert column_peaks(np.zeros(0, np.float32), 5).tolist() == []
