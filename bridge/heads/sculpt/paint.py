"""The colours of the head, as vertex colours in linear RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

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


def linear(code: str) -> Array:
    """Return an sRGB colour (`#rrggbb`) as linear RGB, after IEC 61966-2-1."""
    value = np.array([int(code[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


SKIN, BLUSH, SHADE = linear("#e8b796"), linear("#dd8d75"), linear("#b5765c")
LIP, LIP_INSIDE, MOUTH_DEEP = linear("#c05d58"), linear("#9c3f40"), linear("#3a1214")
LID_RIM, LASH, NOSTRIL = linear("#c98a78"), linear("#1d1210"), linear("#6b3a30")
HAIR, HAIR_LIGHT, BROW = linear("#3b2418"), linear("#6b452c"), linear("#3a2419")
TOOTH, GUM, TONGUE = linear("#f6f0e4"), linear("#b8615e"), linear("#b9545a")
SCLERA, IRIS, IRIS_LIGHT = linear("#f4f1ea"), linear("#2f6f86"), linear("#6fb4bb")
LIMBUS, PUPIL, CATCH = linear("#12303c"), linear("#050506"), linear("#ffffff")
CLOTH, CLOTH_DARK = linear("#2f4b63"), linear("#1f3347")


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
