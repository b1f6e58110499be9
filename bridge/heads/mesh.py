"""A head as arrays: parts, shapes, normals and vertex colours.

Metres; +Y is up, the face looks along +Z and the character's left is +X. The origin is the joint
of skull and neck, about which the head pose turns. Colours are linear RGB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[np.float64]


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
