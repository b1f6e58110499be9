"""The 52 ARKit shapes as displacement fields, in centimetres.

Every shape is a formula over a piece's points. One-sided shapes are written for the left and
mirrored for the right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.heads.sculpt import face_shapes, mouth_shapes

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.heads.sculpt.clay import Clay
    from bridge.heads.sculpt.landmarks import Array

    Formula = Callable[[Clay], Array]

CENTRE: dict[str, Formula] = {
    "jawOpen": mouth_shapes.jaw_open,
    "jawForward": mouth_shapes.jaw_forward,
    "mouthClose": mouth_shapes.close,
    "mouthFunnel": mouth_shapes.funnel,
    "mouthPucker": mouth_shapes.pucker,
    "mouthRollLower": mouth_shapes.roll_lower,
    "mouthRollUpper": mouth_shapes.roll_upper,
    "mouthShrugLower": mouth_shapes.shrug_lower,
    "mouthShrugUpper": mouth_shapes.shrug_upper,
    "cheekPuff": face_shapes.cheek_puff,
    "browInnerUp": face_shapes.brow_inner_up,
    "tongueOut": mouth_shapes.tongue_out,
}

LEFT: dict[str, Formula] = {
    "eyeBlink": face_shapes.eye_blink,
    "eyeLookDown": face_shapes.eye_look_down,
    "eyeLookIn": face_shapes.eye_look_in,
    "eyeLookOut": face_shapes.eye_look_out,
    "eyeLookUp": face_shapes.eye_look_up,
    "eyeSquint": face_shapes.eye_squint,
    "eyeWide": face_shapes.eye_wide,
    "jaw": mouth_shapes.jaw_left,
    "mouth": mouth_shapes.left,
    "mouthSmile": mouth_shapes.smile,
    "mouthFrown": mouth_shapes.frown,
    "mouthDimple": mouth_shapes.dimple,
    "mouthStretch": mouth_shapes.stretch,
    "mouthPress": mouth_shapes.press,
    "mouthLowerDown": mouth_shapes.lower_down,
    "mouthUpperUp": mouth_shapes.upper_up,
    "browDown": face_shapes.brow_down,
    "browOuterUp": face_shapes.brow_outer_up,
    "cheekSquint": face_shapes.cheek_squint,
    "noseSneer": face_shapes.nose_sneer,
}


def _right(formula: Formula) -> Formula:
    def field(clay: Clay) -> Array:
        return np.asarray(formula(clay.mirrored()) * np.array([-1.0, 1.0, 1.0]))

    return field


SHAPES: dict[str, Formula] = (
    CENTRE
    | {f"{name}Left": formula for name, formula in LEFT.items()}
    | {f"{name}Right": _right(formula) for name, formula in LEFT.items()}
)
"""By ARKit name, what each shape adds to a piece's points, [points, 3]."""
