"""Displacement formulas of jaw, lips and tongue; two-sided shapes are written for the left
side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.heads.mesh import smoothstep
from tools.sculpt.landmarks import (
    JAW_HINGE,
    LIPS_SHARE,
    MOUTH_X,
    about_mouth,
    bell,
    below_mouth,
    left_half,
    lip_height,
    lower_lip_height,
    opened,
    spot,
    upper_lip_height,
    vector,
)

if TYPE_CHECKING:
    from cstalk_bridge.heads.mesh import Array
    from tools.sculpt.piece import Piece


_CORNER = (MOUTH_X, -5.55, 8.3)


def _corner(piece: Piece, across: float, along: float) -> Array:
    """Return 1 at the left corner of the mouth, falling ever less steeply to 0."""
    inner = spot(piece, _CORNER, (across + 1.6, along, 4.5))
    outer = spot(piece, _CORNER, (across, along, 4.5))
    outward = np.clip(piece.anchor[:, 0] / MOUTH_X, 0.0, 1.0)
    return np.asarray(np.where(piece.anchor[:, 0] < MOUTH_X, inner, outer) * outward**1.7)


def jaw_open(piece: Piece) -> Array:
    """Turn the jaw about its hinge; the corners come inwards a little."""
    narrower = about_mouth(piece, 4.0, 2.0, 3.0)
    return opened(piece.at, piece.jaw) + vector(narrower, -0.10 * piece.anchor[:, 0], 0.0, 0.0)


def jaw_forward(piece: Piece) -> Array:
    """Push the jaw forward."""
    return vector(piece.jaw, 0.0, -0.08, 0.75)


def jaw_left(piece: Piece) -> Array:
    """Swing the jaw to the left, most at the chin."""
    ahead = smoothstep(piece.at[:, 2], JAW_HINGE[2], 8.0)
    return vector(piece.jaw * ahead, 1.0, 0.0, -0.05)


def close(piece: Piece) -> Array:
    """Bring the lips of an open jaw together: each takes the same weight of the jaw's motion."""
    near = _plateau(piece)
    together = opened(piece.at, np.full(len(piece.at), LIPS_SHARE) * (piece.follow > 0))
    back = together - opened(piece.at, piece.jaw)
    return np.asarray(near[:, None] * back)


def _plateau(piece: Piece) -> Array:
    """Return 1 on the lips and inside them, falling to 0 on the chin and under the nose."""
    height = lip_height(piece)
    above = smoothstep(height, 1.9, 0.35)
    below = smoothstep(height, -2.6, -0.35)
    across = smoothstep(np.abs(piece.anchor[:, 0]), 4.4, MOUTH_X)
    front = smoothstep(piece.anchor[:, 2], 3.0, 6.0)
    return np.asarray(np.where(height > 0, above, below) * across * front * (piece.follow > 0))


def _lower(piece: Piece) -> Array:
    return below_mouth(piece.anchor, reach=0.7)


def _upper(piece: Piece) -> Array:
    return 1.0 - _lower(piece)


def _ellipse(piece: Piece) -> Array:
    """Return the height of a round opening along the mouth, 1 in its middle."""
    return np.sqrt(np.clip(1.0 - (piece.anchor[:, 0] / MOUTH_X) ** 2, 0.0, 1.0) ** 0.8)


def _gathered(piece: Piece, weight: float) -> Array:
    """Return how points go inwards: the corners by `weight` of their distance, the middle less."""
    outward = np.minimum(np.abs(piece.anchor[:, 0]) / MOUTH_X, 1.0)
    return np.asarray(-weight * (0.4 + 0.6 * outward**2) * piece.anchor[:, 0])


def funnel(piece: Piece) -> Array:
    """Push the lips forward into an open ring."""
    lips = about_mouth(piece, 4.4, 2.3, 3.0, full=0.3)
    part = 0.50 * _upper(piece) - 0.70 * _lower(piece)
    return vector(lips, _gathered(piece, 0.46), _ellipse(piece) * part, 0.95)


def pucker(piece: Piece) -> Array:
    """Draw the lips together and forward, closed and full."""
    lips = about_mouth(piece, 4.4, 2.3, 3.0, full=0.3)
    thick = 0.30 * np.clip(lip_height(piece), -1.0, 0.8)
    return vector(lips, _gathered(piece, 0.58), thick, 1.15)


def left(piece: Piece) -> Array:
    """Move the mouth to the left."""
    mouth = about_mouth(piece, 5.0, 1.95, 3.2, full=0.35)
    turned = 0.12 * np.clip(piece.anchor[:, 0] / MOUTH_X, -1, 1)
    return vector(mouth, 1.1, turned, -0.25 * np.clip(piece.anchor[:, 0] / MOUTH_X, -1, 1))


def smile(piece: Piece) -> Array:
    """Pull the corner out and up, raise the cheek and the lower lid's bag."""
    corner = _corner(piece, 2.7, 2.5)
    cheek = spot(piece, (3.9, -2.7, 7.0), (2.3, 2.1, 4.0))
    moved = vector(corner, 0.80, 0.78, -0.45) + vector(cheek, 0.22, 0.42, 0.50)
    return np.asarray(moved + vector(_nasolabial(piece), 0.0, 0.10, -0.22))


def _nasolabial(piece: Piece) -> Array:
    """Return 1 on the fold from the left wing of the nose to the side of the mouth, else 0."""
    start, end = np.array([1.75, -2.9]), np.array([3.35, -5.7])
    way = end - start
    from_start = piece.anchor[:, :2] - start
    along = np.clip(from_start @ way / (way @ way), 0.0, 1.0)
    gap = np.linalg.norm(from_start - along[:, None] * way, axis=1)
    ends = 1.0 - 0.5 * np.abs(2 * along - 1)
    front = smoothstep(piece.anchor[:, 2], 4.0, 6.0)
    return np.asarray(piece.follow * front * ends * smoothstep(gap, 1.0, 0.0))


def frown(piece: Piece) -> Array:
    """Pull the corner down."""
    corner = _corner(piece, 2.4, 2.6)
    return vector(corner, 0.05, -0.80, -0.1)


def dimple(piece: Piece) -> Array:
    """Press the corner back into the cheek."""
    corner = _corner(piece, 1.9, 1.8)
    return vector(corner, 0.50, 0.08, -0.50)


def stretch(piece: Piece) -> Array:
    """Pull the corner out and down."""
    corner = _corner(piece, 2.7, 2.5)
    cheek = spot(piece, (4.2, -7.0, 5.5), (2.6, 2.6, 4.0))
    return vector(corner, 0.95, -0.28, -0.35) + vector(cheek, 0.15, -0.25, 0.0)


def press(piece: Piece) -> Array:
    """Press the lips together so that they grow thin."""
    lips = about_mouth(piece, 3.4, 1.5, 1.7) * left_half(piece)
    thin = -0.42 * np.clip(lip_height(piece), -0.8, 0.6)
    return vector(lips, 0.05, thin, -0.16)


def lower_down(piece: Piece) -> Array:
    """Draw the lower lip down and open it."""
    lips = about_mouth(piece, 3.4, 1.6, 2.7) * left_half(piece, 1.2) * _lower(piece)
    return vector(lips * _ellipse(piece), 0.12, -0.75, 0.05)


def upper_up(piece: Piece) -> Array:
    """Draw the upper lip up and open it."""
    lips = about_mouth(piece, 3.4, 2.5, 1.4) * left_half(piece, 1.2) * _upper(piece)
    fold = spot(piece, (2.2, -3.6, 8.3), (1.9, 1.8, 2.5)) * left_half(piece)
    raised = vector(lips * _ellipse(piece), 0.05, 0.66, 0.08)
    return np.asarray(raised + vector(fold, 0.08, 0.18, 0.10))


def _roll(piece: Piece, weight: Array, red: Array, y: float, z: float) -> Array:
    """Roll the red of a lip inwards and draw the skin around it after."""
    height = lip_height(piece)
    inside = smoothstep(np.abs(height) / np.maximum(red, 0.2), 1.9, 0.2)
    return vector(weight, 0.0, y * inside - 0.35 * height * inside, z * inside)


def roll_lower(piece: Piece) -> Array:
    """Roll the lower lip in over the lower teeth, up against the upper ones."""
    weight = about_mouth(piece, 3.3, 0.9, 2.2) * _lower(piece)
    return _roll(piece, weight, lower_lip_height(piece.anchor[:, 0]), 0.26, -1.0)


def roll_upper(piece: Piece) -> Array:
    """Roll the upper lip in over the upper teeth."""
    weight = about_mouth(piece, 3.3, 2.0, 0.9) * _upper(piece)
    return _roll(piece, weight, upper_lip_height(piece.anchor[:, 0]), -0.14, -0.78)


def shrug_lower(piece: Piece) -> Array:
    """Push the chin up and the lower lip out, which lifts the upper one."""
    lips = about_mouth(piece, 3.2, 1.6, 2.4)
    chin = spot(piece, (0.0, -8.6, 8.4), (2.4, 2.0, 3.0))
    raised = vector(lips, 0.0, 0.34, 0.08) + vector(chin, 0.0, 0.42, 0.1)
    return np.asarray(raised + vector(lips * _lower(piece), 0.0, 0.0, 0.30))


def shrug_upper(piece: Piece) -> Array:
    """Lift the upper lip and push it out; the lower one stays on it."""
    lips = about_mouth(piece, 3.2, 1.9, 1.3)
    return vector(lips, 0.0, 0.34, 0.14) + vector(lips * _upper(piece), 0.0, 0.0, 0.26)


def tongue_out(piece: Piece) -> Array:
    """Put the tongue out over the lower lip, which gives way."""
    lips = about_mouth(piece, 2.6, 1.6, 2.0) * bell(piece.anchor[:, 0], 0.0, 2.4)
    return vector(lips, 0.0, 0.28 * _upper(piece) - 0.5 * _lower(piece), 0.12)


def tongue_stretch(tongue: Piece) -> Array:
    """Return how the tongue itself moves at `tongueOut`."""
    tip = tongue.follow
    forward = 3.7 * tip**1.2
    arch = 0.85 * np.sin(np.pi * np.clip(tip * 0.95, 0, 1)) - 0.45 * smoothstep(tip, 0.75, 1.0)
    narrow = -0.12 * tongue.at[:, 0] * tip
    return np.stack([narrow, arch + 1.5 * tip, forward], axis=1)
