"""ARKit curves on a head: the names of its shapes, and how pose and look curves turn its nodes.

Names in users' files (prefixes, Maya's and VRM's spellings) map to ARKit names. Rotations are
unit quaternions x, y, z, w in the axes of the face: +X to its left, +Y up, +Z forward. Yaw is
done last, as of a head on a neck.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.heads.mesh import EYES, LOOK_ANGLE_RAD
from cstalk_bridge.rig.curves import ARKIT_CURVES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

    Quaternions = NDArray[np.float64]


SHAPES = 52
"""The ARKit coefficients, which stand first in the table of Live Link Face."""

ROLES = {"head": ("head",), "eyeLeft": ("eyeleft", "lefteye"), "eyeRight": ("eyeright", "righteye")}
"""The nodes that are turned, and the keys of their names."""

_PREFIX = re.compile(r"^.*[.:]")
_MAYA = re.compile(r"^blendshapes?[0-9]*_", re.IGNORECASE)
_SIDE = re.compile(r"_([LRlr])\Z")
_SIDES = {"l": "left", "r": "right"}


@cache
def arkit_names() -> tuple[str, ...]:
    """Return the 52 ARKit names in the order of a Live Link Face packet, as `eyeBlinkLeft`."""
    return tuple(name[:1].lower() + name[1:] for name in ARKIT_CURVES[:SHAPES])


def shape_key(name: str) -> str:
    """Return what all spellings of a name have in common: `eyeblinkleft` for `Face.eyeBlink_L`.

    A prefix up to the last `.` or `:`, then one like `blendShape1_`, is left away; `_L` and `_R` at
    the end stand for `Left` and `Right`; case does not matter.
    """
    plain = _MAYA.sub("", _PREFIX.sub("", name, count=1), count=1)
    return _SIDE.sub(lambda match: _SIDES[match[1].lower()], plain).lower()


def arkit_name(name: str) -> str | None:
    """Return the ARKit name which a shape's name means, or None."""
    return _by_key().get(shape_key(name))


def role_of(name: str) -> str | None:
    """Return which of `ROLES` a node of this name has, or None."""
    key = shape_key(name)
    return next((role for role, keys in ROLES.items() if key in keys), None)


def missing_names(found: Iterable[str]) -> tuple[str, ...]:
    """Return the ARKit names that are not in `found`, in their order."""
    present = set(found)
    return tuple(name for name in arkit_names() if name not in present)


@cache
def _by_key() -> dict[str, str]:
    return {shape_key(name): name for name in arkit_names()}


_HEAD = ("HeadYaw", "HeadPitch", "HeadRoll")
_WAYS = ("Out", "In", "Up", "Down")


def turning_curves(role: str) -> list[int]:
    """Return which of the 61 curves turn `head`, `eyeLeft` or `eyeRight`.

    Those of an eye are its looks out, in, up and down; those of the head yaw, pitch and roll.
    """
    side = role.removeprefix("eye")
    turning = [f"EyeLook{way}{side}" for way in _WAYS] if role in EYES else _HEAD
    return [ARKIT_CURVES.index(name) for name in turning]


def rotation_of(role: str, curves: Floats) -> Quaternions:
    """Return the rotation of `head`, `eyeLeft` or `eyeRight`, float64 [time, 4].

    `curves` are those of `arkit`, float32 [time, 61]; the head's are radians.
    """
    values = curves[:, turning_curves(role)].astype(np.float64).T
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
