"""Landmarks of the face, in centimetres, and the falloff weights of shapes around them.

Weights are 0..1 and end within the radii they name; the jaw's say how far each point of the skin
moves with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.heads.mesh import smoothstep

if TYPE_CHECKING:
    from cstalk_bridge.heads.mesh import Array
    from tools.sculpt.piece import Piece


MIDDLE = np.array([0.0, -1.0, 0.0])
"""From here the skin is sought outwards."""

NECK_PIVOT = np.array([0.0, -6.0, -2.0])
NECK_END = np.array([0.0, -14.6, -3.4])
JAW_HINGE = np.array([0.0, -1.6, 0.2])

EYE = np.array([3.15, 0.8, 5.85])
EYE_RADIUS = 1.48
LID_RADIUS = 1.63
EYE_INNER_X, EYE_OUTER_X = 1.76, 4.54
SEAL = 0.28
"""Where the lids meet: this weight of the opening above the lower lid."""

MOUTH_Y = -5.55
MOUTH_X = 2.45


def bell(values: Array, centre: float, width: float) -> Array:
    """Return 1 at `centre`, falling to 0 at `width` away from it, level at both ends."""
    return smoothstep(np.abs(values - centre), width, 0.0)


def mouth_line(x: Array) -> Array:
    """Return the height at which closed lips meet."""
    across = np.clip(np.abs(x) / MOUTH_X, 0.0, 1.6)
    return MOUTH_Y - 0.05 * across**3 + 0.06 * np.exp(-(((np.abs(x) - 0.75) / 0.55) ** 2))


def _lip_taper(x: Array, power: float) -> Array:
    return np.clip(1.0 - (x / MOUTH_X) ** 2, 0.0, 1.0) ** power


def upper_lip_height(x: Array) -> Array:
    """Return how far the red of the upper lip reaches above the mouth line: Cupid's bow."""
    bow = 0.15 * np.exp(-(((np.abs(x) - 0.55) / 0.38) ** 2))
    return (0.56 + bow) * _lip_taper(x, 0.62)


def lower_lip_height(x: Array) -> Array:
    """Return how far the red of the lower lip reaches below the mouth line."""
    return 0.82 * _lip_taper(x, 0.65)


def lid_lines(x: Array) -> tuple[Array, Array]:
    """Return the heights of the edges of the left eye's upper and lower lid."""
    along = np.clip((x - EYE_INNER_X) / (EYE_OUTER_X - EYE_INNER_X), 0.0, 1.0)
    corners = EYE[1] - 0.14 + 0.17 * along
    arch = np.sin(np.pi * along**0.88)
    bowl = np.sin(np.pi * along**1.12)
    return corners + 0.66 * arch**0.85, corners - 0.47 * bowl**0.9


def brow_line(along: Array) -> tuple[Array, Array, Array]:
    """Return x, y and half the width of the left brow, `along` 0..1 from its inner end."""
    x = 1.15 + 3.75 * along
    y = 2.80 + 0.40 * np.sin(np.pi * along**1.25 * 0.80) - 0.30 * along**2
    half = 0.36 * (1 - along) ** 0.55 * smoothstep(along, -0.20, 0.16) + 0.03
    return x, y, half


def brow_share(x: Array, y: Array) -> Array:
    """Return how thick the hair of a brow stands at points of the left half, 0..1."""
    along = np.clip((x - 1.15) / 3.75, 0.0, 1.0)
    middle, height, half = brow_line(along)
    away = np.hypot(x - middle, (y - height) / (0.4 + half) * 0.6)
    return smoothstep(away, 0.62, 0.12)


def spot(
    piece: Piece, centre: tuple[float, float, float], radii: tuple[float, float, float]
) -> Array:
    """Return 1 at `centre`, falling to 0 on the ellipsoid of `radii` around it, [points]."""
    local = (piece.anchor - np.asarray(centre)) / np.asarray(radii)
    return piece.follow * smoothstep(np.linalg.norm(local, axis=1), 1.0, 0.0)


def about_mouth(
    piece: Piece, across: float, above: float, below: float | None = None, *, full: float = 0.5
) -> Array:
    """Return 1 on the lips, falling to 0 on the radii `across` and `above` or `below` the line.

    It is 1 up to the weight `full` of the radii.
    """
    height = lip_height(piece)
    reach = np.where(height > 0, above, above if below is None else below)
    near = np.hypot(piece.anchor[:, 0] / across, height / reach)
    front = smoothstep(piece.anchor[:, 2], 2.0, 5.0)
    return np.asarray(piece.follow * front * smoothstep(near, 1.0, full))


def lip_height(piece: Piece) -> Array:
    """Return how far points lie above the mouth line, in cm."""
    return np.asarray(piece.anchor[:, 1] - mouth_line(piece.anchor[:, 0]))


def left_half(piece: Piece, width: float = 0.7) -> Array:
    """Return 1 on the left, 0 on the right; over the middle it is even with its mirror image."""
    return smoothstep(piece.anchor[:, 0], -width, width)


def vector(weight: Array, x: float | Array, y: float | Array, z: float | Array) -> Array:
    """Return a displacement of `weight` times (x, y, z), [points, 3]."""
    return np.stack([weight * x, weight * y, weight * z], axis=1)


OPEN_RAD = np.radians(20.0)
LIPS_SHARE = 0.34
"""How much of the jaw's motion the corners of the mouth take, and lips that `mouthClose` shuts."""


def below_mouth(anchor: Array, reach: float = 0.7) -> Array:
    """Return 0 above the mouth and 1 below it, with a jump only between the lips, [points].

    Around each corner it turns like the angle about the corner, which is the smoothest way from one
    lip to the other; within `reach` cm of a corner it draws near to a half.
    """
    x = np.abs(anchor[:, 0]) - MOUTH_X
    y = anchor[:, 1] - mouth_line(anchor[:, 0])
    turn = np.arctan2(y, x)
    split = smoothstep(turn, np.radians(125), np.radians(-125))
    close = 1.0 - np.exp(-((np.hypot(x, y) / reach) ** 1.2))
    return np.asarray(0.5 + (split - 0.5) * close)


def jaw_share(anchor: Array) -> Array:
    """Return how much of the jaw's motion the skin takes, [points]."""
    low = below_mouth(anchor)
    weight = np.where(low < 0.5, low * LIPS_SHARE / 0.5, 1 - (1 - low) * (1 - LIPS_SHARE) / 0.5)
    x, y, z = np.abs(anchor[:, 0]), anchor[:, 1], anchor[:, 2]
    bone = smoothstep(z + 0.35 * (y + 5.0), -1.5, 4.0) * smoothstep(x, 9.0, 5.5)
    throat = smoothstep(y + 0.5 * z, -13.0, -8.6)
    high = smoothstep(y, 0.2, -4.5)
    return np.asarray(weight * bone * throat * high)


def opened(at: Array, weight: Array) -> Array:
    """Return how an open jaw moves points which take that weight of it, [points, 3] in cm."""
    turn = OPEN_RAD * weight
    y, z = at[:, 1] - JAW_HINGE[1], at[:, 2] - JAW_HINGE[2]
    moved_y = np.cos(turn) * y - np.sin(turn) * z
    moved_z = np.cos(turn) * z + np.sin(turn) * y
    return np.stack([np.zeros_like(y), moved_y - y, moved_z - z], axis=1)
