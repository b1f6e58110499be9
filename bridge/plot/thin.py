"""Long courses in few points: what is drawn never grows with the length of a take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def thinned(
    times_s: NDArray[np.float64], values: NDArray[np.float32], columns: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return at most 2 * `columns` points of a course, [points] each, that look like all of it.

    Of each of `columns` equal stretches the lowest and the highest point stay, in their order. A
    course of no more points than that is returned as it is.
    """
    rows = len(values)
    if rows <= 2 * columns:
        return times_s, values
    edges = bins(rows, columns)
    pairs = [
        sorted((first + int(part.argmin()), first + int(part.argmax())))
        for first, part in zip(edges[:-1], np.split(values, edges[1:-1]), strict=True)
    ]
    places = np.array(pairs).ravel()
    return times_s[places], values[places]


def peaks(values: NDArray[np.float32], columns: int) -> NDArray[np.float32]:
    """Return the greatest value of each of `columns` equal stretches, [min(columns, time)]."""
    if not len(values):
        return values
    return np.asarray(np.maximum.reduceat(values, bins(len(values), columns)[:-1]))


def bins(rows: int, columns: int) -> NDArray[np.intp]:
    """Return the edges of at most `columns` stretches of `rows`, none empty, [stretches + 1]."""
    count = min(rows, columns)
    return np.arange(count + 1) * rows // max(count, 1)
