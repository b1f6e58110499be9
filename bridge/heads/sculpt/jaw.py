"""How the jaw moves, and how far each point of the skin goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.heads.sculpt.landmarks import JAW_HINGE, MOUTH_X, mouth_line, smooth

if TYPE_CHECKING:
    from bridge.heads.sculpt.landmarks import Array

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
    split = smooth(turn, np.radians(125), np.radians(-125))
    close = 1.0 - np.exp(-((np.hypot(x, y) / reach) ** 1.2))
    return np.asarray(0.5 + (split - 0.5) * close)


def jaw_share(anchor: Array) -> Array:
    """Return how much of the jaw's motion the skin takes, [points]."""
    low = below_mouth(anchor)
    share = np.where(low < 0.5, low * LIPS_SHARE / 0.5, 1 - (1 - low) * (1 - LIPS_SHARE) / 0.5)
    x, y, z = np.abs(anchor[:, 0]), anchor[:, 1], anchor[:, 2]
    bone = smooth(z + 0.35 * (y + 5.0), -1.5, 4.0) * smooth(x, 9.0, 5.5)
    throat = smooth(y + 0.5 * z, -13.0, -8.6)
    high = smooth(y, 0.2, -4.5)
    return np.asarray(share * bone * throat * high)


def opened(at: Array, share: Array) -> Array:
    """Return how an open jaw moves points which take that share of it, [points, 3] in cm."""
    turn = OPEN_RAD * share
    y, z = at[:, 1] - JAW_HINGE[1], at[:, 2] - JAW_HINGE[2]
    moved_y = np.cos(turn) * y - np.sin(turn) * z
    moved_z = np.cos(turn) * z + np.sin(turn) * y
    return np.stack([np.zeros_like(y), moved_y - y, moved_z - z], axis=1)
