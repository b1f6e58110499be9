"""The form of head and neck as a distance field of smoothly joined ellipsoids.

Smooth minimum after Inigo Quilez, "smooth minimum" (quadratic polynomial).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bridge.heads.sculpt.landmarks import (
    EYE,
    LID_RADIUS,
    MOUTH_X,
    lower_lip_height,
    mouth_line,
    upper_lip_height,
)

if TYPE_CHECKING:
    from bridge.heads.sculpt.landmarks import Array


@dataclass(frozen=True, slots=True)
class Lump:
    """An ellipsoid which is joined to the form over `blend` cm, or taken out of it.

    Off the middle it stands on both sides. `pitch` turns its top forward, in degrees; `power` 2 is
    an ellipsoid, more is boxier.
    """

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    blend: float
    pitch: float = 0.0
    power: float = 2.0
    hollow: bool = False


LUMPS = (
    Lump((0, 3.0, -1.1), (7.2, 8.5, 8.5), 0.0),  # skull
    Lump((0, 3.6, 1.6), (5.9, 5.6, 6.3), 2.0, power=2.3),  # forehead
    Lump((0, -1.4, 2.2), (6.0, 6.6, 5.7), 2.4, power=2.3),  # face
    Lump((0, -6.0, 3.0), (4.15, 4.0, 4.7), 2.8, power=2.1),  # jaw
    Lump((3.8, -4.7, 0.8), (1.4, 2.4, 2.4), 2.4),  # angle of the jaw
    Lump((0, -8.7, 6.2), (1.9, 1.3, 1.5), 1.8),  # chin
    Lump((0, -5.4, 5.2), (2.9, 2.6, 3.2), 1.5),  # muzzle
    Lump((3.7, -1.9, 4.9), (2.1, 1.9, 2.1), 1.6),  # cheek
    Lump((2.9, 3.0, 6.1), (2.3, 0.8, 1.4), 1.1),  # brow
    Lump((3.2, 0.6, 9.2), (1.8, 1.3, 1.55), 1.2, hollow=True),  # eye socket
    Lump((0, -0.1, 7.7), (0.68, 3.0, 1.1), 0.9, pitch=-13),  # bridge of the nose
    Lump((0, -2.45, 8.75), (0.88, 0.82, 1.1), 0.8),  # tip of the nose
    Lump((0.86, -2.8, 8.1), (0.55, 0.55, 0.8), 0.5),  # wing of the nose
    Lump((0.45, -3.45, 8.5), (0.24, 0.28, 0.4), 0.3, hollow=True),  # nostril
    Lump((0, -4.5, 9.0), (0.28, 0.75, 0.4), 0.35, hollow=True),  # philtrum
    Lump((0, -7.25, 9.2), (1.6, 0.4, 0.9), 0.8, hollow=True),  # groove above the chin
    Lump((0, -13.0, -3.0), (3.9, 12.0, 4.2), 2.2, pitch=7, power=2.2),  # neck
    Lump((EYE[0], EYE[1], EYE[2]), (LID_RADIUS, LID_RADIUS, LID_RADIUS), 0.45),  # lids
)


_MAX_STEPS, _CLOSE_CM = 80, 1e-5


def distance(points: Array) -> Array:
    """Return how far [points, 3] lie outside the form, in cm, negative inside; approximate."""
    total = np.full(len(points), np.inf)
    for lump in LUMPS:
        one = _ellipsoid(points, lump)
        if not np.isfinite(total).all():
            total = one
        elif lump.hollow:
            total = -_join(-total, one, lump.blend)
        else:
            total = _join(total, one, lump.blend)
    return total


def _ellipsoid(points: Array, lump: Lump) -> Array:
    centre = np.asarray(lump.centre)
    local = points - centre
    if centre[0]:
        local[:, 0] = np.sqrt(points[:, 0] ** 2 + 0.02) - centre[0]
    if lump.pitch:
        turn = np.radians(lump.pitch)
        y, z = local[:, 1].copy(), local[:, 2].copy()
        local[:, 1] = np.cos(turn) * y + np.sin(turn) * z
        local[:, 2] = np.cos(turn) * z - np.sin(turn) * y
    scaled = np.abs(local / np.asarray(lump.radii)) + 1e-9
    if lump.power == 2:
        norm = np.linalg.norm(scaled, axis=1)
    else:
        norm = (scaled**lump.power).sum(axis=1) ** (1 / lump.power)
    slope = np.linalg.norm(scaled / np.asarray(lump.radii), axis=1) / np.linalg.norm(scaled, axis=1)
    return np.asarray((norm - 1.0) / slope)


def _join(one: Array, other: Array, blend: float) -> Array:
    near = np.clip(blend - np.abs(one - other), 0.0, None) / max(blend, 1e-6)
    return np.minimum(one, other) - near * near * blend / 4


def skin(origins: Array, directions: Array) -> Array:
    """Return where rays from inside, [rays, 3] with unit directions, leave the skin."""
    reach = np.zeros(len(origins))
    for _ in range(_MAX_STEPS):
        gap = distance(origins + reach[:, None] * directions)
        reach -= 0.85 * gap
        if np.abs(gap).max() < _CLOSE_CM:
            break
    points = origins + reach[:, None] * directions
    return points + lip_relief(points)


def lip_relief(points: Array) -> Array:
    """Return how far the lips stand out of the muzzle, [points, 3]."""
    x = points[:, 0]
    above = points[:, 1] - mouth_line(x)
    taper = np.clip(1.0 - (x / MOUTH_X) ** 2, 0.0, 1.0)
    upper = np.clip(above / np.maximum(upper_lip_height(x), 0.05), 0.0, 1.0)
    lower = np.clip(-above / np.maximum(lower_lip_height(x), 0.05), 0.0, 1.0)
    swell = 0.36 * np.sin(np.pi * upper**0.72) + 0.46 * np.sin(np.pi * lower**0.7)
    crease = 0.16 * np.exp(-((above / 0.2) ** 2))
    corner = 0.14 * np.exp(-(((np.abs(x) - MOUTH_X) / 0.6) ** 2) - (above / 0.55) ** 2)
    front = points[:, 2] > 0
    relief = np.zeros_like(points)
    relief[:, 2] = front * ((swell - crease) * taper**0.5 - corner)
    return relief
