from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.evaluation import raster
from bridge.evaluation.raster import NOTHING, rasterize

SQUARE = np.array([[0, 1, 2], [0, 2, 3]])
"""Counter-clockwise to the eye, where down is positive."""


def square(left: float, top: float, size: float, depth: float) -> np.ndarray:
    low = top + size
    return np.float32(
        [
            (left, low, depth),
            (left + size, low, depth),
            (left + size, top, depth),
            (left, top, depth),
        ]
    )


@given(
    left=st.integers(-5, 20),
    top=st.integers(-5, 20),
    size=st.integers(1, 25),
    at=st.integers(1, 90),
)
@settings(max_examples=60)
def test_a_square_covers_each_of_its_pixels_once(left: int, top: int, size: int, at: int) -> None:
    before, raster.CANDIDATES_AT_ONCE = raster.CANDIDATES_AT_ONCE, at
    try:
        owner, where = rasterize(square(left, top, size, 1.0), SQUARE, 20, 16)
    finally:
        raster.CANDIDATES_AT_ONCE = before
    wanted = np.zeros((16, 20), bool)
    wanted[max(0, top) : max(0, top + size), max(0, left) : max(0, left + size)] = True
    assert np.array_equal(owner != NOTHING, wanted)
    assert where[wanted].sum(1) == pytest.approx(1.0, abs=1e-4)
    assert (where >= -1e-4).all()


def test_the_nearest_is_seen_in_whatever_order_and_backs_are_not() -> None:
    far, near = square(0, 0, 10, 1.0), square(2, 2, 4, 5.0)
    for points, order in (((far, near), (0, 1)), ((near, far), (1, 0))):
        triangles = np.concatenate([SQUARE, SQUARE + 4])
        owner, _ = rasterize(np.concatenate(points), triangles, 10, 10)
        assert owner[4, 4] // 2 == order[1]
        assert owner[8, 8] // 2 == order[0]
    owner, _ = rasterize(far, SQUARE[:, ::-1], 10, 10)
    assert (owner == NOTHING).all()


def test_slanted_faces_cross_where_their_depths_are_equal() -> None:
    flat, slope = square(0, 0, 10, 5.0), square(0, 0, 10, 0.0)
    slope[[1, 2], 2] = 10.0
    owner, _ = rasterize(
        np.concatenate([flat, slope]), np.concatenate([SQUARE, SQUARE + 4]), 10, 10
    )
    assert (owner[:, :5] < 2).all()
    assert (owner[:, 5:] >= 2).all()
