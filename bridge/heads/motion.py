"""How the rigid nodes of a head turn: the head by its pose, the eyes by the look curves.

All rotations are unit quaternions x, y, z, w in the axes of the face: +X to its left, +Y up, +Z
forward. Yaw is done last, as of a head on a neck.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.heads.mesh import EYES, LOOK_ANGLE_RAD
from bridge.rig.tables import load_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Quaternions = NDArray[np.float64]

_HEAD = ("HeadYaw", "HeadPitch", "HeadRoll")
_WAYS = ("Out", "In", "Up", "Down")


def turned_by(role: str) -> list[int]:
    """Return which of the 61 curves turn `head`, `eyeLeft` or `eyeRight`.

    Those of an eye are its looks out, in, up and down; those of the head yaw, pitch and roll.
    """
    names = [curve.name for curve in load_table("livelinkface61").curves]
    side = role.removeprefix("eye")
    turning = [f"EyeLook{way}{side}" for way in _WAYS] if role in EYES else _HEAD
    return [names.index(name) for name in turning]


def turn_of(role: str, curves: Floats) -> Quaternions:
    """Return the rotation of `head`, `eyeLeft` or `eyeRight`, float64 [time, 4].

    `curves` are those of `arkit`, float32 [time, 61]; the head's are radians.
    """
    values = curves[:, turned_by(role)].astype(np.float64).T
    if role not in EYES:
        return quaternions(*values)
    outward, inward, up, down = values * LOOK_ANGLE_RAD
    left = outward - inward if role == EYES[0] else inward - outward
    return quaternions(left, up - down, np.zeros_like(left))


def quaternions(left: Quaternions, up: Quaternions, right: Quaternions) -> Quaternions:
    """Return the rotation to the face's left, up, and to its right shoulder, in radians [time]."""
    yaw, pitch, roll = left / 2, -up / 2, right / 2
    zero = np.zeros_like(yaw)
    about_y = np.stack([zero, np.sin(yaw), zero, np.cos(yaw)], axis=-1)
    about_x = np.stack([np.sin(pitch), zero, zero, np.cos(pitch)], axis=-1)
    about_z = np.stack([zero, zero, np.sin(roll), np.cos(roll)], axis=-1)
    return product(about_y, product(about_x, about_z))


def product(first: Quaternions, second: Quaternions) -> Quaternions:
    """Return the rotation that does `second`, then `first`; both [..., 4]."""
    x1, y1, z1, w1 = np.moveaxis(first, -1, 0)
    x2, y2, z2, w2 = np.moveaxis(second, -1, 0)
    return np.stack(
        [
            w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
            w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
            w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
            w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
        ],
        axis=-1,
    )
