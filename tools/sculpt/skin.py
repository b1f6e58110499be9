"""The skin: the grid's outer surface and its colours, the inside of the lips and the mouth bag,
lid rims and lashes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.heads import mesh
from cstalk_bridge.heads.mesh import BLUSH, BROW, LIP, NOSTRIL, SHADE, SKIN, smoothstep
from tools.sculpt.landmarks import (
    EYE,
    EYE_RADIUS,
    LID_RADIUS,
    MOUTH_X,
    brow_share,
    jaw_share,
    lower_lip_height,
    mouth_line,
    upper_lip_height,
)
from tools.sculpt.piece import Piece, joined, picked, strip, welded
from tools.sculpt.surface import EYE_COLUMNS, MOUTH_COLUMN, Grid

if TYPE_CHECKING:
    from cstalk_bridge.heads.mesh import Array
    from tools.sculpt.piece import Indices


def skin_colours(at: Array) -> Array:
    """Return the painted skin at points of the outer surface, [points, 3]."""
    x, y, z = np.abs(at[:, 0]), at[:, 1], at[:, 2]
    colours = np.broadcast_to(SKIN, at.shape).copy()
    _tint(colours, BLUSH, 0.20 * _spot(x, y, (4.0, -2.5), (2.4, 1.9)) * smoothstep(z, 2.0, 5.0))
    _tint(colours, BLUSH, 0.30 * _spot(x, y, (0.0, -2.7), (1.5, 0.9)) * smoothstep(z, 8.4, 9.8))
    _tint(colours, BLUSH, 0.25 * _spot(x, y, (0.0, -9.0), (1.8, 1.2)) * smoothstep(z, 4.0, 7.0))
    _tint(colours, SHADE, 0.28 * _spot(x, y, (EYE[0], EYE[1] + 0.55), (1.7, 0.7)) * (z > 4))
    _tint(colours, SHADE, 0.30 * _spot(x, y, (1.75, 0.9), (0.6, 0.9)) * (z > 4))
    _tint(colours, SHADE, 0.25 * smoothstep(y, -9.8, -12.5))
    _tint(colours, BROW, 0.5 * brow_share(x, y) * (z > 4))
    nostril = _spot(x, y, (0.68, -3.62), (0.38, 0.28)) * smoothstep(z, 8.6, 9.0)
    _tint(colours, NOSTRIL * 0.5, 0.95 * nostril)
    _tint(colours, LIP, lip_share(at))
    return colours


def lip_share(at: Array) -> Array:
    """Return how red the lips are at points of the outer surface, 0..1."""
    x, above = at[:, 0], at[:, 1] - mouth_line(at[:, 0])
    height = np.where(above > 0, upper_lip_height(x), lower_lip_height(x))
    inside = smoothstep(np.abs(above) - height, 0.10, -0.06)
    ends = smoothstep(np.abs(x), MOUTH_X + 0.12, MOUTH_X - 0.25)
    return np.asarray(0.72 * inside * ends * (at[:, 2] > 4))


def _spot(x: Array, y: Array, centre: tuple[float, float], radii: tuple[float, float]) -> Array:
    near = ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2
    return np.asarray(np.exp(-near))


def _tint(colours: Array, colour: Array, weight: Array) -> None:
    colours += weight[:, None] * (colour - colours)


_ROLL = ((0.04, 0.26), (0.26, 0.62), (1.35, 0.85))
"""How far the rows of a lip's inside lie above (or below) its edge and behind it."""

_ROOF_Y, _FLOOR_Y, _BETWEEN_Y = -3.9, -7.1, -5.5

_FOLLOW = np.array([1.0, 1.0, 0.95, 0.6, 0.15, 0.0, 0.0])
"""How much the rows take of the mouth's shapes, from the edge inwards."""

_COLOURS = np.array(
    [mesh.LIP, mesh.LIP, mesh.LIP_INSIDE, 0.55 * mesh.LIP_INSIDE, *[mesh.MOUTH_DEEP] * 3]
)
_LIP_ROWS, _BACK_ROWS, _BACK_JAW = 4, 2, 0.3


def build_lips(piece: Piece, upper: Indices, lower: Indices) -> tuple[Piece, Piece]:
    """Return the inside of the lips, and the bag, hung on the points of the lips' edges."""
    lips, bag = [], []
    for edge, sign in ((upper, 1), (lower, -1)):
        sheet = _sheet(piece, edge, sign)
        lips.append(_rows(sheet, len(edge), sign, slice(0, _LIP_ROWS)))
        bag.append(_rows(sheet, len(edge), sign, slice(_LIP_ROWS - 1, None)))
    return joined(lips), welded(joined(bag))


def _sheet(piece: Piece, edge: Indices, sign: int) -> Piece:
    """Return the rows behind the upper (`sign` 1) or lower (-1) lip, without triangles."""
    out = piece.at[edge]
    across = np.linspace(-1, 1, len(edge))
    arch = np.cos(across * np.pi / 2) ** 0.6
    rows = [out]
    for rise, back in _ROLL:
        behind = 0.1 * across**2 - back
        rows.append(out + np.stack([0 * across, sign * rise * arch, behind], axis=1))
    roof = _BETWEEN_Y + ((_ROOF_Y if sign > 0 else _FLOOR_Y) - _BETWEEN_Y) * arch
    rows.append(np.stack([1.9 * across, roof, 6.0 - 2.2 * across**2], axis=1))
    rows.append(np.stack([1.6 * across, -5.4 + sign * 0.9 * arch, 0 * across + 2.0], axis=1))
    rows.append(np.stack([1.2 * across, 0 * across - 5.6, 0 * across + 1.2], axis=1))
    sheet = picked(piece, np.tile(edge, len(rows)), np.concatenate(rows), mesh.LIP)
    deep = np.repeat(np.arange(len(rows)), len(edge))
    colours = _COLOURS[deep]
    colours[: len(edge)] = piece.colours[edge]
    jaw = np.where(deep >= len(rows) - _BACK_ROWS, _BACK_JAW, sheet.jaw)
    return replace(sheet, colours=colours, follow=_FOLLOW[deep], jaw=jaw)


def _rows(sheet: Piece, count: int, sign: int, which: slice) -> Piece:
    """Return some rows of a sheet, facing into the mouth."""
    numbers = np.arange(len(sheet.at)).reshape(-1, count)[which]
    return replace(sheet, triangles=strip(list(numbers[::sign])))


_APART = 1e-4
"""How far the anchors of two closed lips lie apart, so that each is known as upper or lower."""


def build_skin(grid: Grid) -> tuple[Piece, Piece]:
    """Return the skin with all that moves like it, and the bag behind the lips."""
    outside = _outside(grid)
    edges = outside.lip(upper=True), outside.lip(upper=False)
    lips, bag = build_lips(outside.piece, *edges)
    lids = [_lid_rim(outside, sign, upper=upper) for sign in (1, -1) for upper in (True, False)]
    lashes = [_lashes(outside, sign) for sign in (1, -1)]
    return welded(joined([outside.piece, lips, *lids, *lashes])), bag


class _Surface:
    """The outer surface with the point numbers of its rows; cut rows have one per side."""

    def __init__(self, piece: Piece, above: Indices, below: Indices, rows: dict[str, int]) -> None:
        self.piece, self.above, self.below, self.rows = piece, above, below, rows

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
    piece = replace(
        Piece.of(at, np.concatenate(triangles), skin_colours(at), follow=1.0),
        anchor=anchor,
        jaw=jaw_share(anchor),
        lid=np.concatenate([lid.reshape(-1), spare]),
        aperture=np.concatenate([aperture.reshape(-1), spare]),
    )
    return _Surface(piece, above, below, grid.row)


def _lid_fields(grid: Grid) -> tuple[Array, Array]:
    """Return how far each point goes with a lid, and how far the lids stand open there."""
    row, points = grid.row, grid.points
    number = np.arange(len(points), dtype=np.float64)
    upper, lower = row["upper lid"], row["lower lid"]
    down = smoothstep(number, row["crease"] - 1, upper) * (number <= upper)
    up = smoothstep(number, row["under eye"] + 2, lower) * (number >= lower)
    angle = np.arctan2(points[..., 1] - EYE[1], points[..., 2] - EYE[2])
    open_rad = angle[upper] - angle[lower]
    columns = len(open_rad)
    lid = np.broadcast_to((down - up)[:, None], (len(points), columns))
    return lid, np.broadcast_to(open_rad, (len(points), columns))


def _lid_rim(outside: _Surface, sign: int, *, upper: bool) -> Piece:
    """Return the thickness of a lid, from its edge to the eyeball."""
    edge = outside.lid(sign, upper=upper)
    centre = EYE * np.array([sign, 1, 1])
    out = outside.piece.at[edge]
    ring = centre + (out - centre) * (EYE_RADIUS - 0.06) / LID_RADIUS
    numbers = np.arange(2 * len(edge)).reshape(2, -1)
    rows = numbers if upper else numbers[::-1]
    at = np.concatenate([out, ring])
    both = picked(outside.piece, np.tile(edge, 2), at, mesh.LID_RIM)
    colours = both.colours.copy()
    colours[: len(edge)] = mesh.LASH if upper else mesh.LID_RIM
    return replace(both, triangles=strip(list(rows)), colours=colours)


def _lashes(outside: _Surface, sign: int) -> Piece:
    """Return a dark wedge along the upper lid, longer towards the outer corner."""
    edge = outside.lid(sign, upper=True)
    base = outside.piece.at[edge]
    centre = EYE * np.array([sign, 1, 1])
    weight = np.linspace(0, 1, len(edge))[:: 1 if sign > 0 else -1]
    length = (0.03 + 0.10 * weight**1.5) * np.sin(
        np.pi * np.clip(weight * 0.93 + 0.05, 0, 1)
    ) ** 0.4
    away = (base - centre) / np.linalg.norm(base - centre, axis=1, keepdims=True)
    lean = np.stack([sign * (0.1 + 0.7 * weight), 0.35 + 0.25 * weight, 0.0 * weight], axis=1)
    tip = base + length[:, None] * (0.8 * away + lean)
    root = base + 0.02 * away + np.array([0, 0.055, 0.02])
    under = base + 0.02 * away - np.array([0, 0.01, 0])
    at = np.concatenate([root, tip, tip, under])
    numbers = np.arange(len(at)).reshape(4, -1)
    triangles = np.concatenate([strip(list(numbers[:2])), strip(list(numbers[2:]))])
    return replace(picked(outside.piece, np.tile(edge, 4), at, mesh.LASH), triangles=triangles)
