"""The skin: the grid's outer surface, the rims and lashes of the lids, the lips' inside."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bridge.heads.sculpt import paint
from bridge.heads.sculpt.clay import Clay, joined, strip
from bridge.heads.sculpt.grid import EYE_COLUMNS, MOUTH_COLUMN, Grid
from bridge.heads.sculpt.jaw import jaw_share
from bridge.heads.sculpt.landmarks import EYE, EYE_RADIUS, LID_RADIUS, mouth_line, smooth

if TYPE_CHECKING:
    from bridge.heads.sculpt.clay import Indices
    from bridge.heads.sculpt.landmarks import Array

_APART = 1e-4
"""How far the anchors of two closed lips lie apart, so that each is known as upper or lower."""

_MOUTH_ROWS = 6


def build_skin(grid: Grid) -> Clay:
    """Return the skin with all that moves like it."""
    outside = _outside(grid)
    inside = _mouth_inside(outside)
    lids = [_lid_rim(outside, sign, upper) for sign in (1, -1) for upper in (True, False)]
    lashes = [_lashes(outside, sign) for sign in (1, -1)]
    return _welded(joined([outside.clay, inside, *lids, *lashes]))


class _Surface:
    """The outer surface with the point numbers of its rows; cut rows have one per side."""

    def __init__(self, clay: Clay, above: Indices, below: Indices, rows: dict[str, int]) -> None:
        self.clay, self.above, self.below, self.rows = clay, above, below, rows

    def lip(self, *, upper: bool) -> Indices:
        row = (self.above if upper else self.below)[self.rows["mouth"]]
        middle = len(row) // 2
        return row[middle - MOUTH_COLUMN : middle + MOUTH_COLUMN + 1]

    def lid(self, sign: int, *, upper: bool) -> Indices:
        row = self.above[self.rows["upper lid" if upper else "lower lid"]]
        middle = len(row) // 2
        start, stop = (middle + sign * column for column in EYE_COLUMNS)
        return row[min(start, stop) : max(start, stop) + 1]


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
    down = np.where(
        number <= row["upper lid"], smooth(number, row["crease"] - 1, row["upper lid"]), 0
    )
    up = np.where(
        number >= row["lower lid"], smooth(number, row["under eye"] + 2, row["lower lid"]), 0
    )
    angle = np.arctan2(points[..., 1] - EYE[1], points[..., 2] - EYE[2])
    open_rad = angle[row["upper lid"]] - angle[row["lower lid"]]
    columns = len(open_rad)
    lid = np.broadcast_to((down - up)[:, None], (len(points), columns))
    return lid, np.broadcast_to(open_rad, (len(points), columns))


def _picked(clay: Clay, numbers: Indices, at: Array, colour: Array) -> Clay:
    """Return points at other places which move like those of the given numbers."""
    flat = numbers.reshape(-1)
    return replace(
        Clay.of(at.reshape(-1, 3), np.zeros((0, 3), np.int32), colour),
        anchor=clay.anchor[flat],
        follow=clay.follow[flat],
        jaw=clay.jaw[flat],
        lid=clay.lid[flat],
        aperture=clay.aperture[flat],
    )


def _lid_rim(outside: _Surface, sign: int, upper: bool) -> Clay:  # noqa: FBT001
    """Return the thickness of a lid, from its edge to the eyeball."""
    edge = outside.lid(sign, upper=upper)
    centre = EYE * np.array([sign, 1, 1])
    out = outside.clay.at[edge]
    ring = centre + (out - centre) * (EYE_RADIUS - 0.06) / LID_RADIUS
    numbers = np.arange(2 * len(edge)).reshape(2, -1)
    rows = numbers if upper else numbers[::-1]
    both = _picked(
        outside.clay, np.concatenate([edge, edge]), np.concatenate([out, ring]), paint.LID_RIM
    )
    colours = both.colours.copy()
    colours[: len(edge)] = paint.LASH if upper else paint.LID_RIM
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
    return replace(_picked(outside.clay, np.tile(edge, 4), at, paint.LASH), triangles=triangles)


def _mouth_inside(outside: _Surface) -> Clay:
    """Return the inner lips and the bag behind them, open towards the front."""
    upper, lower = outside.lip(upper=True), outside.lip(upper=False)
    count = len(upper)
    edge = outside.clay.at[upper]
    across = np.linspace(-1, 1, count)
    middle = np.cos(across * np.pi / 2) ** 0.6
    sheets = []
    for sign in (1, -1):
        roll = [(0.04, 0.30), (0.26, 0.72), (1.35, 0.95)]
        rows = [edge]
        rows += [
            edge + _offset(sign * rise * middle, -back + 0.1 * across**2) for rise, back in roll
        ]
        roof = -5.5 + (MOUTH_ROOF[sign] + 5.5) * middle
        rows.append(np.stack([1.9 * across, roof, 6.0 - 2.2 * across**2], axis=1))
        rows.append(np.stack([1.6 * across, -5.4 + sign * 0.9 * middle, 2.0 + 0 * across], axis=1))
        rows.append(np.stack([1.2 * across, -5.6 + 0 * across, 1.2 + 0 * across], axis=1))
        sheets.append(np.stack(rows))
    return _bag(outside.clay, (upper, lower), sheets)


MOUTH_ROOF = {1: -3.9, -1: -7.1}


def _offset(y: Array, z: Array) -> Array:
    return np.stack([0 * y, y, z], axis=1)


def _bag(clay: Clay, edges: tuple[Indices, Indices], sheets: list[Array]) -> Clay:
    layers = len(sheets[0])
    follow = np.array([1.0, 1.0, 0.95, 0.6, 0.15, 0.0, 0.0])[:layers]
    colour = np.array([paint.LIP, paint.LIP_INSIDE, *[paint.MOUTH_DEEP] * (layers - 3)])
    pieces = []
    for edge, sheet, upper in zip(edges, sheets, (True, False), strict=True):
        numbers = np.arange(sheet.shape[0] * sheet.shape[1]).reshape(sheet.shape[:2])
        piece = _picked(clay, np.tile(edge, layers), sheet, paint.LIP)
        deep = np.repeat(np.arange(layers), len(edge))
        jaw = np.where(deep >= 5, 0.3, piece.jaw)
        rows = list(numbers if upper else numbers[::-1])
        pieces.append(
            replace(
                piece,
                triangles=strip(rows),
                colours=np.concatenate([clay.colours[edge], np.repeat(colour, len(edge), axis=0)]),
                follow=follow[deep],
                jaw=jaw,
            )
        )
    return joined(pieces)


def _welded(clay: Clay) -> Clay:
    """Return the piece with points as one which stand and move alike and have one colour."""
    by_point = [values[:, None] for values in (clay.lid, clay.follow, clay.jaw)]
    key = np.concatenate([clay.at, clay.anchor, clay.colours, *by_point], axis=1).round(5)
    _, first, back = np.unique(key, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    triangles = place[back.reshape(-1)][clay.triangles]
    i, j, k = triangles.T
    triangles = triangles[(i != j) & (j != k) & (k != i)]
    used = np.unique(triangles)
    packed = np.zeros(len(order), dtype=np.int32)
    packed[used] = np.arange(len(used))
    keep = first[order][used]
    names = ("at", "colours", "anchor", "follow", "jaw", "lid", "aperture")
    return Clay(triangles=packed[triangles], **{name: getattr(clay, name)[keep] for name in names})
