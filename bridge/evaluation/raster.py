"""Triangles as pixels, by NumPy alone: which triangle a pixel sees, and where in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Places = NDArray[np.int64]

NOTHING = -1
CANDIDATES_AT_ONCE = 1_000_000
"""Pixels in the boxes of triangles that are looked at together; bounds the memory."""


def rasterize(
    points: Floats, triangles: NDArray[np.integer], width: int, height: int
) -> tuple[Places, Floats]:
    """Return the nearest triangle of each pixel, and its barycentric coordinates there.

    `points` is float32 [points, 3]: pixels to the right and down, and depth, of which the greater
    is nearer. Triangles that run clockwise to the eye, or have no size, are not seen. Returns
    int64 [height, width], `NOTHING` where no triangle is, and float32 [height, width, 3].
    """
    owner = np.full(width * height, NOTHING, dtype=np.int64)
    where = np.zeros((width * height, 3), dtype=np.float32)
    nearest = np.full(width * height, -np.inf, dtype=np.float32)
    corners = points[triangles]
    places, start, size = _boxes(corners, width, height)
    ends = np.cumsum(size.prod(1))
    first = 0
    while first < len(places):
        done = ends[first - 1] if first else 0
        last = int(np.searchsorted(ends, done + CANDIDATES_AT_ONCE, side="right"))
        some = slice(first, max(last, first + 1))
        pixels, depth, place, shares = _inside(
            corners[places[some]], start[some], size[some], width
        )
        order = np.argsort(depth, kind="stable")  # of one pixel the nearest is written last
        order = order[depth[order] > nearest[pixels[order]]]
        at = pixels[order]
        nearest[at], owner[at], where[at] = depth[order], places[some][place[order]], shares[order]
        first = some.stop
    return owner.reshape(height, width), where.reshape(height, width, 3)


def _boxes(corners: Floats, width: int, height: int) -> tuple[Places, Places, Places]:
    """Return the triangles that may be seen, and start and size of their boxes in the picture."""
    flat = corners[:, :, :2]
    one, two = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    # Down is positive: what runs counter-clockwise to the eye has a negative area here.
    towards = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0] < 0
    flat = flat[places := np.flatnonzero(towards)]
    # Thrice faster than `min` along so short an axis.
    low = np.minimum(np.minimum(flat[:, 0], flat[:, 1]), flat[:, 2])
    high = np.maximum(np.maximum(flat[:, 0], flat[:, 1]), flat[:, 2])
    edge = (width, height)
    start = np.clip(np.ceil(low - 0.5), 0, edge).astype(np.int64)
    size = np.clip(np.floor(high - 0.5) + 1, 0, edge).astype(np.int64) - start
    some = (size[:, 0] > 0) & (size[:, 1] > 0)
    return places[some], start[some], size[some]


def _inside(
    corners: Floats, start: Places, size: Places, width: int
) -> tuple[Places, Floats, Places, Floats]:
    """Return pixel, depth, triangle and barycentrics of every pixel's centre in a triangle."""
    counts = size.prod(1)
    place = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
    row, column = np.divmod(number, size[place, 0])
    a, b, c = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0]
    x = (column + 0.5).astype(np.float32) + (start[:, 0] - a[:, 0]).astype(np.float32)[place]
    y = (row + 0.5).astype(np.float32) + (start[:, 1] - a[:, 1]).astype(np.float32)[place]
    of_b = x * (c[:, 1] / area)[place] - y * (c[:, 0] / area)[place]
    of_c = y * (b[:, 0] / area)[place] - x * (b[:, 1] / area)[place]
    hit = np.flatnonzero((of_b >= 0) & (of_c >= 0) & (of_b + of_c <= 1))
    place, of_b, of_c = place[hit], of_b[hit], of_c[hit]
    depth = a[place, 2] + of_b * b[place, 2] + of_c * c[place, 2]
    pixels = (start[place, 1] + row[hit]) * width + start[place, 0] + column[hit]
    return pixels, depth, place, np.stack((1 - of_b - of_c, of_b, of_c), 1)
