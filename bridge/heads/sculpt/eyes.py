"""Eyeballs: white, iris and pupil by vertex colours, a bulging cornea and a catch light."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.heads import palette
from bridge.heads.sculpt.clay import Clay, joined, strip, welded
from bridge.heads.sculpt.landmarks import EYE_RADIUS, smooth

if TYPE_CHECKING:
    from bridge.heads.sculpt.landmarks import Array

_RINGS = (0, 5, 10.2, 10.8, 15, 20, 25, 28.2, 29.4, 34, 42, 52, 64, 78, 95, 120)
"""Angles from the gaze in degrees; pupil to 10.5, iris to 28.8."""

_AROUND = 24
_PUPIL, _IRIS = 10.5, 28.8


def build_eye() -> Clay:
    """Return an eyeball about the origin which looks along +Z."""
    angle = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)
    polar = np.array(_RINGS, dtype=np.float64)
    bulge = 0.05 * smooth(polar, 32.0, 12.0)
    radius = EYE_RADIUS + bulge
    out = np.radians(polar)[:, None]
    at = np.stack(
        [
            radius[:, None] * np.sin(out) * np.cos(angle),
            radius[:, None] * np.sin(out) * np.sin(angle),
            radius[:, None] * np.cos(out) + 0 * angle,
        ],
        axis=-1,
    ).reshape(-1, 3)
    colours = np.stack([_ring_colour(ring, angle) for ring in polar]).reshape(-1, 3)
    numbers = np.arange(len(at)).reshape(len(polar), _AROUND)
    ball = Clay.of(at, strip(list(numbers), ring=True), colours)
    return joined([welded(ball), _catch_light()])


def _ring_colour(polar: float, angle: Array) -> Array:
    """Return the colours of a ring: the iris is lighter below, where light falls through it."""
    if polar < _PUPIL:
        return np.broadcast_to(palette.PUPIL, (len(angle), 3))
    if polar < _IRIS:
        low = (0.5 - 0.5 * np.sin(angle))[:, None]
        fibre = (0.85 + 0.15 * np.cos(9 * angle))[:, None]
        rim = float(smooth(np.array([polar]), 19.0, 29.0)[0])
        iris = palette.IRIS + (0.15 + 0.75 * low) * (palette.IRIS_LIGHT - palette.IRIS)
        return np.asarray((iris * fibre) * (1 - rim) + palette.LIMBUS * rim)
    shade = 1 - 0.35 * float(smooth(np.array([polar]), 34.0, 78.0)[0])
    return np.broadcast_to(palette.SCLERA * shade, (len(angle), 3))


def _catch_light() -> Clay:
    """Return the reflection of a window, above and to the character's right of the pupil."""
    spots = []
    for yaw, pitch, size in ((-0.20, 0.24, 0.20), (0.17, -0.17, 0.09)):
        angle = np.linspace(0, 2 * np.pi, 14, endpoint=False)
        x = np.concatenate([[0.0], size * np.cos(angle)]) + EYE_RADIUS * np.sin(yaw)
        y = np.concatenate([[0.0], size * np.sin(angle)]) + EYE_RADIUS * np.sin(pitch)
        z = np.sqrt((EYE_RADIUS + 0.065) ** 2 - x**2 - y**2)
        rows = [np.zeros(14, dtype=np.intp), np.arange(1, 15)]
        spots.append(Clay.of(np.stack([x, y, z], axis=1), strip(rows, ring=True), palette.CATCH))
    return joined(spots)
