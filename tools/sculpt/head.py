"""The whole head: pieces, their shapes and normals, in metres about the joint of skull and
neck.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.heads.mesh import Head, Part, Shape
from tools.sculpt import features, mouth_shapes
from tools.sculpt.features import build_collar
from tools.sculpt.landmarks import EYE, NECK_PIVOT
from tools.sculpt.piece import Piece, joined, normals
from tools.sculpt.shapes import SHAPES
from tools.sculpt.skin import build_skin
from tools.sculpt.surface import build_grid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cstalk_bridge.heads.mesh import Array
    from tools.sculpt.shapes import Formula


LICENCE = "Apache-2.0; made by the formulas of CSTalk Bridge"

_METRES_PER_CM = 0.01
_STILL_CM = 0.017
"""Displacements below this are left out."""

_TURNED = 0.08
"""Changes of a normal below this are left out."""


def build_head() -> Head:
    """Sculpt the head; takes a few seconds and gives the same numbers every time."""
    brow, ear = features.build_brow(), features.build_ear()
    eye = features.build_eye()
    tongue_shapes = dict(SHAPES, tongueOut=mouth_shapes.tongue_stretch)
    face, bag = build_skin(build_grid())
    skin = joined([face, ear, ear.mirrored()])
    parts = (
        _part("skin", skin, SHAPES, 0.68),
        _part("mouthInside", bag, SHAPES, 1.0),
        _part("brows", joined([brow, brow.mirrored()]), SHAPES, 0.8),
        _part("hair", features.build_hair(), {}, 0.85),
        _part("collar", build_collar(), {}, 0.85),
        _part("teethUpper", features.build_teeth(upper=True), {}, 0.4),
        _part("teethLower", features.build_teeth(upper=False), SHAPES, 0.4),
        _part("tongue", features.build_tongue(), tongue_shapes, 0.85),
        _part("eyeLeft", eye, {}, 0.12, EYE),
        _part("eyeRight", eye, {}, 0.12, EYE * np.array([-1, 1, 1])),
    )
    return Head("CSTalk head", parts, LICENCE)


def _part(
    name: str,
    piece: Piece,
    formulas: Mapping[str, Formula],
    roughness: float,
    pivot: Array | None = None,
) -> Part:
    rest = normals(piece.at, piece.triangles)
    shapes = {}
    for shape, formula in formulas.items():
        moved = formula(piece)
        moved[np.linalg.norm(moved, axis=1) < _STILL_CM] = 0.0
        if moved.any():
            shapes[shape] = _shape(piece, rest, moved)
    origin = np.zeros(3) if pivot is None else (pivot - NECK_PIVOT) * _METRES_PER_CM
    at = (piece.at - (NECK_PIVOT if pivot is None else 0.0)) * _METRES_PER_CM
    x, y, z = (float(value) for value in origin)
    return Part(
        name=name,
        positions=at.astype(np.float32),
        normals=rest.astype(np.float32),
        triangles=piece.triangles,
        colours=np.clip(piece.colours, 0, 1).astype(np.float32),
        shapes=shapes,
        pivot=(x, y, z),
        roughness=roughness,
    )


def _shape(piece: Piece, rest: Array, moved: Array) -> Shape:
    turned = normals(piece.at + moved, piece.triangles) - rest
    turned[np.linalg.norm(turned, axis=1) < _TURNED] = 0.0
    return Shape((moved * _METRES_PER_CM).astype(np.float32), turned.astype(np.float32))
