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


_CORNER = (MOUTH_X, -5.4, 8.0)


def _corner(clay: Piece, across: float, along: float) -> Array:
    """Return 1 at the left corner of the mouth, falling ever less steeply to 0."""
    inner = spot(clay, _CORNER, (across + 1.6, along, 4.5))
    outer = spot(clay, _CORNER, (across, along, 4.5))
    outward = np.clip(clay.anchor[:, 0] / MOUTH_X, 0.0, 1.0)
    return np.asarray(np.where(clay.anchor[:, 0] < MOUTH_X, inner, outer) * outward**1.7)


def jaw_open(clay: Piece) -> Array:
    """Turn the jaw about its hinge; the corners come inwards a little."""
    narrower = about_mouth(clay, 4.0, 2.0, 3.0)
    return opened(clay.at, clay.jaw) + vector(narrower, -0.10 * clay.anchor[:, 0], 0.0, 0.0)


def jaw_forward(clay: Piece) -> Array:
    """Push the jaw forward."""
    return vector(clay.jaw, 0.0, -0.08, 0.75)


def jaw_left(clay: Piece) -> Array:
    """Swing the jaw to the left, most at the chin."""
    ahead = smoothstep(clay.at[:, 2], JAW_HINGE[2], 8.0)
    return vector(clay.jaw * ahead, 1.0, 0.0, -0.05)


def close(clay: Piece) -> Array:
    """Bring the lips of an open jaw together: each takes the same share of the jaw's motion."""
    near = _plateau(clay)
    together = opened(clay.at, np.full(len(clay.at), LIPS_SHARE) * (clay.follow > 0))
    back = together - opened(clay.at, clay.jaw)
    return np.asarray(near[:, None] * back)


def _plateau(clay: Piece) -> Array:
    """Return 1 on the lips and inside them, falling to 0 on the chin and under the nose."""
    height = lip_height(clay)
    above = smoothstep(height, 1.9, 0.35)
    below = smoothstep(height, -2.6, -0.35)
    across = smoothstep(np.abs(clay.anchor[:, 0]), 4.4, MOUTH_X)
    front = smoothstep(clay.anchor[:, 2], 3.0, 6.0)
    return np.asarray(np.where(height > 0, above, below) * across * front * (clay.follow > 0))


def _lower(clay: Piece) -> Array:
    return below_mouth(clay.anchor, reach=0.7)


def _upper(clay: Piece) -> Array:
    return 1.0 - _lower(clay)


def _ellipse(clay: Piece) -> Array:
    """Return the height of a round opening along the mouth, 1 in its middle."""
    return np.sqrt(np.clip(1.0 - (clay.anchor[:, 0] / MOUTH_X) ** 2, 0.0, 1.0) ** 0.8)


def _gathered(clay: Piece, share: float) -> Array:
    """Return how points go inwards: the corners by `share` of their distance, the middle less."""
    outward = np.minimum(np.abs(clay.anchor[:, 0]) / MOUTH_X, 1.0)
    return np.asarray(-share * (0.4 + 0.6 * outward**2) * clay.anchor[:, 0])


def funnel(clay: Piece) -> Array:
    """Push the lips forward into an open ring."""
    lips = about_mouth(clay, 4.4, 2.3, 3.0, full=0.3)
    part = 0.50 * _upper(clay) - 0.70 * _lower(clay)
    return vector(lips, _gathered(clay, 0.46), _ellipse(clay) * part, 0.95)


def pucker(clay: Piece) -> Array:
    """Draw the lips together and forward, closed and full."""
    lips = about_mouth(clay, 4.4, 2.3, 3.0, full=0.3)
    thick = 0.30 * np.clip(lip_height(clay), -1.0, 0.8)
    return vector(lips, _gathered(clay, 0.58), thick, 1.15)


def left(clay: Piece) -> Array:
    """Move the mouth to the left."""
    mouth = about_mouth(clay, 5.0, 1.95, 3.2, full=0.35)
    turned = 0.12 * np.clip(clay.anchor[:, 0] / MOUTH_X, -1, 1)
    return vector(mouth, 1.1, turned, -0.25 * np.clip(clay.anchor[:, 0] / MOUTH_X, -1, 1))


def smile(clay: Piece) -> Array:
    """Pull the corner out and up, raise the cheek and the lower lid's bag."""
    corner = _corner(clay, 2.7, 2.5)
    cheek = spot(clay, (4.0, -2.6, 6.5), (2.7, 2.4, 4.0))
    return vector(corner, 0.85, 0.80, -0.40) + vector(cheek, 0.12, 0.36, 0.30)


def frown(clay: Piece) -> Array:
    """Pull the corner down."""
    corner = _corner(clay, 2.4, 2.6)
    return vector(corner, 0.05, -0.80, -0.1)


def dimple(clay: Piece) -> Array:
    """Press the corner back into the cheek."""
    corner = _corner(clay, 1.9, 1.8)
    return vector(corner, 0.50, 0.08, -0.50)


def stretch(clay: Piece) -> Array:
    """Pull the corner out and down."""
    corner = _corner(clay, 2.7, 2.5)
    cheek = spot(clay, (4.2, -7.0, 5.5), (2.6, 2.6, 4.0))
    return vector(corner, 0.95, -0.28, -0.35) + vector(cheek, 0.15, -0.25, 0.0)


def press(clay: Piece) -> Array:
    """Press the lips together so that they grow thin."""
    lips = about_mouth(clay, 3.4, 1.5, 1.7) * left_half(clay)
    thin = -0.42 * np.clip(lip_height(clay), -0.8, 0.6)
    return vector(lips, 0.05, thin, -0.16)


def lower_down(clay: Piece) -> Array:
    """Draw the lower lip down and open it."""
    lips = about_mouth(clay, 3.4, 1.6, 2.7) * left_half(clay, 1.2) * _lower(clay)
    return vector(lips * _ellipse(clay), 0.12, -0.75, 0.05)


def upper_up(clay: Piece) -> Array:
    """Draw the upper lip up and open it."""
    lips = about_mouth(clay, 3.4, 2.5, 1.4) * left_half(clay, 1.2) * _upper(clay)
    fold = spot(clay, (2.2, -3.6, 7.9), (1.9, 1.8, 2.5)) * left_half(clay)
    raised = vector(lips * _ellipse(clay), 0.05, 0.66, 0.08)
    return np.asarray(raised + vector(fold, 0.08, 0.18, 0.10))


def _roll(clay: Piece, share: Array, red: Array, y: float) -> Array:
    """Roll the red of a lip inwards and draw the skin around it after."""
    height = lip_height(clay)
    inside = smoothstep(np.abs(height) / np.maximum(red, 0.2), 1.9, 0.2)
    return vector(share, 0.0, y * inside - 0.35 * height * inside, -0.78 * inside)


def roll_lower(clay: Piece) -> Array:
    """Roll the lower lip in over the lower teeth, up against the upper ones."""
    share = about_mouth(clay, 3.3, 0.9, 2.2) * _lower(clay)
    return _roll(clay, share, lower_lip_height(clay.anchor[:, 0]), 0.14)


def roll_upper(clay: Piece) -> Array:
    """Roll the upper lip in over the upper teeth."""
    share = about_mouth(clay, 3.3, 2.0, 0.9) * _upper(clay)
    return _roll(clay, share, upper_lip_height(clay.anchor[:, 0]), -0.14)


def shrug_lower(clay: Piece) -> Array:
    """Push the chin up and the lower lip out, which lifts the upper one."""
    lips = about_mouth(clay, 3.2, 1.6, 2.4)
    chin = spot(clay, (0.0, -8.6, 8.0), (2.4, 2.0, 3.0))
    raised = vector(lips, 0.0, 0.34, 0.08) + vector(chin, 0.0, 0.42, 0.1)
    return np.asarray(raised + vector(lips * _lower(clay), 0.0, 0.0, 0.30))


def shrug_upper(clay: Piece) -> Array:
    """Lift the upper lip and push it out; the lower one stays on it."""
    lips = about_mouth(clay, 3.2, 1.9, 1.3)
    return vector(lips, 0.0, 0.34, 0.14) + vector(lips * _upper(clay), 0.0, 0.0, 0.26)


def tongue_out(clay: Piece) -> Array:
    """Put the tongue out over the lower lip, which gives way."""
    lips = about_mouth(clay, 2.6, 1.6, 2.0) * bell(clay.anchor[:, 0], 0.0, 2.4)
    return vector(lips, 0.0, 0.28 * _upper(clay) - 0.5 * _lower(clay), 0.12)


def tongue_stretch(tongue: Piece) -> Array:
    """Return how the tongue itself moves at `tongueOut`."""
    tip = tongue.follow
    forward = 4.6 * tip**1.2
    arch = 0.85 * np.sin(np.pi * np.clip(tip * 0.95, 0, 1)) - 0.45 * smoothstep(tip, 0.75, 1.0)
    narrow = -0.12 * tongue.at[:, 0] * tip
    return np.stack([narrow, arch + 0.78 * tip, forward], axis=1)
