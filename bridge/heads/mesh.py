"""A head as arrays: what sculpting makes, files hold and exports write.

Metres; +Y is up, the face looks along +Z and the character's left is +X. The origin is the joint of
skull and neck, about which the head pose turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

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
