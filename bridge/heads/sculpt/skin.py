"""The skin: the grid's outer surface with lips, the rims and lashes of the lids."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bridge.heads import palette
from bridge.heads.sculpt import paint
from bridge.heads.sculpt.clay import Clay, joined, picked, strip, welded
from bridge.heads.sculpt.grid import EYE_COLUMNS, MOUTH_COLUMN, Grid
from bridge.heads.sculpt.jaw import jaw_share
from bridge.heads.sculpt.landmarks import EYE, EYE_RADIUS, LID_RADIUS, mouth_line, smooth
from bridge.heads.sculpt.lips import build_lips

if TYPE_CHECKING:
    from bridge.heads.sculpt.clay import Indices
    from bridge.heads.sculpt.landmarks import Array

_APART = 1e-4
"""How far the anchors of two closed lips lie apart, so that each is known as upper or lower."""


def build_skin(grid: Grid) -> tuple[Clay, Clay]:
    """Return the skin with all that moves like it, and the bag behind the lips."""
    outside = _outside(grid)
    edges = outside.lip(upper=True), outside.lip(upper=False)
    lips, bag = build_lips(outside.clay, *edges)
    lids = [_lid_rim(outside, sign, upper=upper) for sign in (1, -1) for upper in (True, False)]
    lashes = [_lashes(outside, sign) for sign in (1, -1)]
    return welded(joined([outside.clay, lips, *lids, *lashes])), bag


class _Surface:
    """The outer surface with the point numbers of its rows; cut rows have one per side."""

    def __init__(self, clay: Clay, above: Indices, below: Indices, rows: dict[str, int]) -> None:
        self.clay, self.above, self.below, self.rows = clay, above, below, rows

    def lip(self, *, upper: bool) -> Indices:
        row = (self.above if upper else self.below)[self.rows["mouth"]]
        middle = len(row) // 2
        return np.asarray(row[middle - MOUTH_COLUMN : middle + MOUTH_COLUMN + 1])

    def lid(self, sign: int, *, upper: bool) -> Indices:
        row = self.above[self.rows["upper lid" if upper else "lower lid"]]
        middle = len(row) // 2
        start, stop = (middle + sign * column for column in EYE_COLUMNS)
        return np.asarray(row[min(start, stop) : max(start, stop) + 1])


def _outside(grid: Grid) -> _Surface:
    rows, columns = grid.points.shape[:2]
    middle, mouth = columns // 2, grid.row["mouth"]
    numbers = np.arange(rows * columns).reshape(rows, columns)
    above, below = numbers.copy(), numbers.copy()
    upper, lower = grid.row["upper lid"], grid.row["lower lid"]
    shut = np.ones(columns, dtype=bool)
    for sign in (1, -1):
        shut[middle + sign * np.arange(EYE_COLUMNS[0] + 1, EYE_COLUMNS[1])] = False
    above[lower, shut] = below[lower, shut] = numbers[upper, shut]
    cut = np.arange(middle - MOUTH_COLUMN + 1, middle + MOUTH_COLUMN)
    below[mouth, cut] = rows * columns + np.arange(len(cut))
    at = np.concatenate([grid.points.reshape(-1, 3), grid.points[mouth, cut]])
    anchor = at.copy()
    anchor[above[mouth, cut], 1] = mouth_line(at[above[mouth, cut], 0]) + _APART
    anchor[below[mouth, cut], 1] = mouth_line(at[below[mouth, cut], 0]) - _APART
    first = grid.row["hair"]
    pairs = [pair for pair in range(first, rows - 1) if pair != upper]
    triangles = [strip([below[row], above[row + 1]], ring=True) for row in pairs]
    lid, aperture = _lid_fields(grid)
    spare = np.zeros(len(cut))
    clay = replace(
        Clay.of(at, np.concatenate(triangles), paint.skin_colours(at), follow=1.0),
        anchor=anchor,
        jaw=jaw_share(anchor),
        lid=np.concatenate([lid.reshape(-1), spare]),
        aperture=np.concatenate([aperture.reshape(-1), spare]),
    )
    return _Surface(clay, above, below, grid.row)


def _lid_fields(grid: Grid) -> tuple[Array, Array]:
    """Return how far each point goes with a lid, and how far the lids stand open there."""
    row, points = grid.row, grid.points
    number = np.arange(len(points), dtype=np.float64)
    upper, lower = row["upper lid"], row["lower lid"]
    down = smooth(number, row["crease"] - 1, upper) * (number <= upper)
    up = smooth(number, row["under eye"] + 2, lower) * (number >= lower)
    angle = np.arctan2(points[..., 1] - EYE[1], points[..., 2] - EYE[2])
    open_rad = angle[upper] - angle[lower]
    columns = len(open_rad)
    lid = np.broadcast_to((down - up)[:, None], (len(points), columns))
    return lid, np.broadcast_to(open_rad, (len(points), columns))


def _lid_rim(outside: _Surface, sign: int, *, upper: bool) -> Clay:
    """Return the thickness of a lid, from its edge to the eyeball."""
    edge = outside.lid(sign, upper=upper)
    centre = EYE * np.array([sign, 1, 1])
    out = outside.clay.at[edge]
    ring = centre + (out - centre) * (EYE_RADIUS - 0.06) / LID_RADIUS
    numbers = np.arange(2 * len(edge)).reshape(2, -1)
    rows = numbers if upper else numbers[::-1]
    at = np.concatenate([out, ring])
    both = picked(outside.clay, np.tile(edge, 2), at, palette.LID_RIM)
    colours = both.colours.copy()
    colours[: len(edge)] = palette.LASH if upper else palette.LID_RIM
    return replace(both, triangles=strip(list(rows)), colours=colours)


def _lashes(outside: _Surface, sign: int) -> Clay:
    """Return a dark wedge along the upper lid, longer towards the outer corner."""
    edge = outside.lid(sign, upper=True)
    base = outside.clay.at[edge]
    centre = EYE * np.array([sign, 1, 1])
    share = np.linspace(0, 1, len(edge))[:: 1 if sign > 0 else -1]
    length = (0.05 + 0.27 * share**1.5) * np.sin(np.pi * np.clip(share * 0.93 + 0.05, 0, 1)) ** 0.4
    away = (base - centre) / np.linalg.norm(base - centre, axis=1, keepdims=True)
    lean = np.stack([sign * (0.1 + 0.7 * share), 0.35 + 0.25 * share, 0.0 * share], axis=1)
    tip = base + length[:, None] * (0.8 * away + lean)
    root = base + 0.02 * away + np.array([0, 0.055, 0.02])
    under = base + 0.02 * away - np.array([0, 0.01, 0])
    at = np.concatenate([root, tip, tip, under])
    numbers = np.arange(len(at)).reshape(4, -1)
    triangles = np.concatenate([strip(list(numbers[:2])), strip(list(numbers[2:]))])
    return replace(picked(outside.clay, np.tile(edge, 4), at, palette.LASH), triangles=triangles)
