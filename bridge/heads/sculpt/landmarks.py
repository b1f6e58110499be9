"""Where things are on the face, in centimetres, and the lines of mouth and eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

MIDDLE = np.array([0.0, -1.0, 0.0])
"""From here the skin is sought outwards."""

NECK_PIVOT = np.array([0.0, -6.0, -2.0])
NECK_END = np.array([0.0, -14.6, -3.4])
JAW_HINGE = np.array([0.0, -1.6, 0.2])

EYE = np.array([3.25, 0.8, 5.9])
EYE_RADIUS = 1.78
LID_RADIUS = 1.93
EYE_INNER_X, EYE_OUTER_X = 1.62, 4.88
SEAL = 0.28
"""Where the lids meet: this share of the opening above the lower lid."""

MOUTH_Y = -5.55
MOUTH_X = 2.45


def smooth(values: Array, start: float, end: float) -> Array:
    """Rise from 0 at `start` to 1 at `end` (either may be the larger), level at both ends."""
    t = np.clip((values - start) / (end - start), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def bell(values: Array, centre: float, width: float) -> Array:
    """Return 1 at `centre`, falling to 0 at `width` away from it, level at both ends."""
    return smooth(np.abs(values - centre), width, 0.0)


def mouth_line(x: Array) -> Array:
    """Return the height at which closed lips meet."""
    across = np.clip(np.abs(x) / MOUTH_X, 0.0, 1.6)
    return MOUTH_Y + 0.24 * across**2 - 0.05 * np.exp(-((x / 0.5) ** 2))


def _lip_taper(x: Array, power: float) -> Array:
    return np.clip(1.0 - (x / MOUTH_X) ** 2, 0.0, 1.0) ** power


def upper_lip_height(x: Array) -> Array:
    """Return how far the red of the upper lip reaches above the mouth line: Cupid's bow."""
    bow = 0.12 * np.exp(-(((np.abs(x) - 0.55) / 0.4) ** 2))
    return (0.56 + bow) * _lip_taper(x, 0.7)


def lower_lip_height(x: Array) -> Array:
    """Return how far the red of the lower lip reaches below the mouth line."""
    return 0.84 * _lip_taper(x, 0.75)


def lid_lines(x: Array) -> tuple[Array, Array]:
    """Return the heights of the edges of the left eye's upper and lower lid."""
    along = np.clip((x - EYE_INNER_X) / (EYE_OUTER_X - EYE_INNER_X), 0.0, 1.0)
    corners = EYE[1] - 0.22 + 0.3 * along
    arch = np.sin(np.pi * along**0.88)
    bowl = np.sin(np.pi * along**1.12)
    return corners + 1.0 * arch**0.85, corners - 0.62 * bowl**0.9
