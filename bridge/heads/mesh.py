"""A head as arrays: parts, shapes, normals and colours, ARKit names of shapes, and the vertices and
turned nodes under ARKit curves.

Metres; +Y is up, the face looks along +Z and the character's left is +X. The origin is the joint
of skull and neck, about which the head pose turns. Colours are linear RGB. Rotations are unit
quaternions x, y, z, w in the axes of the face; yaw is applied last, as of a head on a neck.

Names in users' files (prefixes, Maya's and VRM's spellings) map to ARKit names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cstalk_bridge.rig.curves import ARKIT_CURVES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

    Floats = NDArray[np.float32]

    Quaternions = NDArray[np.float64]


EYES = ("eyeLeft", "eyeRight")
"""The parts whose pivot is the centre of an eyeball: a viewer turns them by the gaze curves."""

LOOK_ANGLE_RAD = 0.5
"""How far an eye turns at weight 1 of an `eyeLook...` curve."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What one curve at weight 1 adds to a part.

    `positions` and `normals` are float32 [vertices, 3], in metres and in parts of a unit normal.
    """

    positions: NDArray[np.float32]
    normals: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One mesh of one material.

    `positions` are float32 [vertices, 3] relative to `pivot`, `normals` float32 [vertices, 3] of
    unit length, `triangles` int32 [triangles, 3] counter-clockwise seen from outside, `colours`
    float32 [vertices, 3] linear RGB 0..1. `shapes` holds, by ARKit name (`eyeBlinkLeft`), only
    those which move this part.
    """

    name: str
    positions: NDArray[np.float32]
    normals: NDArray[np.float32]
    triangles: NDArray[np.int32]
    colours: NDArray[np.float32]
    shapes: Mapping[str, Shape]
    pivot: tuple[float, float, float] = (0.0, 0.0, 0.0)
    roughness: float = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """Parts which move as one; `licence` is the notice which travels with every copy."""

    name: str
    parts: tuple[Part, ...]
    licence: str


def vertex_normals(
    positions: NDArray[np.floating[Any]], triangles: NDArray[np.integer[Any]]
) -> NDArray[np.float32]:
    """Return unit normals, float32 [vertices, 3]: the mean of the faces around, by their area.

    `positions` are [vertices, 3], `triangles` [triangles, 3] counter-clockwise from outside. A
    vertex without an area looks along +Z.
    """
    corners = positions.astype(np.float64)[triangles]
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.zeros((len(positions), 3))
    for axis in range(3):
        weights = np.repeat(areas[:, axis], 3)
        sums[:, axis] = np.bincount(triangles.ravel(), weights, len(positions))
    lengths = np.linalg.norm(sums, axis=1)
    sums[lengths == 0.0] = [0.0, 0.0, 1.0]
    unit = sums / np.where(lengths == 0.0, 1.0, lengths)[:, None]
    return unit.astype(np.float32)


def linear_rgb(code: str) -> NDArray[np.float64]:
    """Return an sRGB colour (`#rrggbb`) as linear RGB, after IEC 61966-2-1."""
    value = np.array([int(code[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.asarray(np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4))


SKIN, BLUSH, SHADE = linear_rgb("#e8b796"), linear_rgb("#dd8d75"), linear_rgb("#b5765c")
LIP, LIP_INSIDE, MOUTH_DEEP = linear_rgb("#c05d58"), linear_rgb("#9c3f40"), linear_rgb("#3a1214")
LID_RIM, LASH, NOSTRIL = linear_rgb("#c98a78"), linear_rgb("#1d1210"), linear_rgb("#6b3a30")
HAIR, HAIR_LIGHT, BROW = linear_rgb("#3b2418"), linear_rgb("#6b452c"), linear_rgb("#3a2419")
TOOTH, GUM, TONGUE = linear_rgb("#f6f0e4"), linear_rgb("#b8615e"), linear_rgb("#b9545a")
SCLERA, IRIS, IRIS_LIGHT = linear_rgb("#f4f1ea"), linear_rgb("#2f6f86"), linear_rgb("#6fb4bb")
LIMBUS, PUPIL, CATCH = linear_rgb("#12303c"), linear_rgb("#050506"), linear_rgb("#ffffff")
CLOTH, CLOTH_DARK = linear_rgb("#2f4b63"), linear_rgb("#1f3347")


def smoothstep(values: Array, start: float, end: float) -> Array:
    """Rise from 0 at `start` to 1 at `end` (either may be the larger), level at both ends."""
    t = np.clip((values - start) / (end - start), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


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
