"""The paint on the skin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.heads.palette import BLUSH, LIP, NOSTRIL, SHADE, SKIN
from bridge.heads.sculpt.landmarks import (
    EYE,
    MOUTH_X,
    lower_lip_height,
    mouth_line,
    smooth,
    upper_lip_height,
)

if TYPE_CHECKING:
    from bridge.heads.sculpt.landmarks import Array


def skin_colours(at: Array) -> Array:
    """Return the painted skin at points of the outer surface, [points, 3]."""
    x, y, z = np.abs(at[:, 0]), at[:, 1], at[:, 2]
    colours = np.broadcast_to(SKIN, at.shape).copy()
    _tint(colours, BLUSH, 0.42 * _spot(x, y, (4.2, -2.3), (2.4, 1.9)) * smooth(z, 2.0, 5.0))
    _tint(colours, BLUSH, 0.40 * _spot(x, y, (0.0, -2.6), (1.3, 1.2)) * smooth(z, 8.0, 9.5))
    _tint(colours, BLUSH, 0.25 * _spot(x, y, (0.0, -9.0), (1.8, 1.2)) * smooth(z, 4.0, 7.0))
    _tint(colours, SHADE, 0.28 * _spot(x, y, (EYE[0], EYE[1] + 0.75), (2.0, 1.25)) * (z > 4))
    _tint(colours, SHADE, 0.45 * _spot(x, y, (1.9, 0.9), (0.8, 1.2)) * (z > 4))
    _tint(colours, SHADE, 0.45 * smooth(y, -9.8, -12.5))
    _tint(colours, NOSTRIL, 0.9 * _spot(x, y, (0.5, -3.42), (0.42, 0.26)) * smooth(z, 7.0, 8.0))
    _tint(colours, LIP, lip_share(at))
    return colours


def lip_share(at: Array) -> Array:
    """Return how red the lips are at points of the outer surface, 0..1."""
    x, above = at[:, 0], at[:, 1] - mouth_line(at[:, 0])
    height = np.where(above > 0, upper_lip_height(x), lower_lip_height(x))
    inside = smooth(np.abs(above) - height, 0.10, -0.06)
    ends = smooth(np.abs(x), MOUTH_X + 0.12, MOUTH_X - 0.25)
    return np.asarray(0.92 * inside * ends * (at[:, 2] > 4))


def _spot(x: Array, y: Array, centre: tuple[float, float], radii: tuple[float, float]) -> Array:
    near = ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2
    return np.asarray(np.exp(-near))


def _tint(colours: Array, colour: Array, share: Array) -> None:
    colours += share[:, None] * (colour - colours)
