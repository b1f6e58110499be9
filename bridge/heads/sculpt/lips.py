"""The inside of the lips, and the dark bag of the mouth behind them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bridge.heads import palette
from bridge.heads.sculpt.clay import Clay, joined, picked, strip, welded

if TYPE_CHECKING:
    from bridge.heads.sculpt.clay import Indices

_ROLL = ((0.04, 0.30), (0.26, 0.72), (1.35, 0.95))
"""How far the rows of a lip's inside lie above (or below) its edge and behind it."""

_ROOF_Y, _FLOOR_Y, _BETWEEN_Y = -3.9, -7.1, -5.5

_FOLLOW = np.array([1.0, 1.0, 0.95, 0.6, 0.15, 0.0, 0.0])
"""How much the rows take of the mouth's shapes, from the edge inwards."""

_COLOURS = np.array([palette.LIP, palette.LIP, palette.LIP_INSIDE, *[palette.MOUTH_DEEP] * 4])
_LIP_ROWS, _BACK_ROWS, _BACK_JAW = 4, 2, 0.3


def build_lips(clay: Clay, upper: Indices, lower: Indices) -> tuple[Clay, Clay]:
    """Return the inside of the lips, and the bag, hung on the points of the lips' edges."""
    lips, bag = [], []
    for edge, sign in ((upper, 1), (lower, -1)):
        sheet = _sheet(clay, edge, sign)
        lips.append(_rows(sheet, len(edge), sign, slice(0, _LIP_ROWS)))
        bag.append(_rows(sheet, len(edge), sign, slice(_LIP_ROWS - 1, None)))
    return joined(lips), welded(joined(bag))


def _sheet(clay: Clay, edge: Indices, sign: int) -> Clay:
    """Return the rows behind the upper (`sign` 1) or lower (-1) lip, without triangles."""
    out = clay.at[edge]
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
    sheet = picked(clay, np.tile(edge, len(rows)), np.concatenate(rows), palette.LIP)
    deep = np.repeat(np.arange(len(rows)), len(edge))
    colours = _COLOURS[deep]
    colours[: len(edge)] = clay.colours[edge]
    jaw = np.where(deep >= len(rows) - _BACK_ROWS, _BACK_JAW, sheet.jaw)
    return replace(sheet, colours=colours, follow=_FOLLOW[deep], jaw=jaw)


def _rows(sheet: Clay, count: int, sign: int, which: slice) -> Clay:
    """Return some rows of a sheet, facing into the mouth."""
    numbers = np.arange(len(sheet.at)).reshape(-1, count)[which]
    return replace(sheet, triangles=strip(list(numbers[::sign])))
