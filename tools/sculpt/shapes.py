"""The 52 ARKit shapes as displacement fields, in centimetres, and the formulas of lids, brows,
cheeks and nose.

Every shape is a formula over a piece's points. One-sided shapes are written for the left and
mirrored for the right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.heads.mesh import smoothstep
from tools.sculpt import mouth_shapes
from tools.sculpt.landmarks import EYE, LID_RADIUS, SEAL, left_half, spot, vector

if TYPE_CHECKING:
    from collections.abc import Callable

    from cstalk_bridge.heads.mesh import Array
    from tools.sculpt.piece import Piece


def _lids(piece: Piece, upper: Array | float, lower: Array | float) -> Array:
    """Turn the left lids about the eye by angles in radians, upwards; they unfold over the ball."""
    weight = np.abs(piece.lid) * (piece.anchor[:, 0] > 0)
    turn = weight * np.where(piece.lid > 0, upper, lower)
    local = piece.at - EYE
    out = np.hypot(local[:, 1], local[:, 2])
    angle = np.arctan2(local[:, 1], local[:, 2]) + turn
    ball = np.sqrt(np.clip(LID_RADIUS**2 - local[:, 0] ** 2, 0.2, None))
    closer = np.where(np.abs(piece.lid) < 0.999, weight * smoothstep(np.abs(turn), 0.0, 0.5), 0.0)
    out = out + closer * np.clip(ball - out, -0.3, 0.3)
    moved = np.stack([local[:, 0], out * np.sin(angle), out * np.cos(angle)], axis=1)
    return np.asarray((moved - local) * (turn != 0)[:, None])


def _arch(piece: Piece) -> Array:
    """Return 1 at the middle of the lids and 0 at their corners."""
    widest = np.max(piece.aperture, initial=1e-6)
    return np.sqrt(np.clip(piece.aperture, 0, None) / widest)


def eye_blink(piece: Piece) -> Array:
    """Close the lids onto one line."""
    return _lids(piece, -(1 - SEAL) * piece.aperture, SEAL * piece.aperture)


def eye_look_down(piece: Piece) -> Array:
    """Let the lids go down with the gaze."""
    return _lids(piece, -0.42 * piece.aperture, -0.12 * _arch(piece))


def eye_look_up(piece: Piece) -> Array:
    """Let the lids go up with the gaze."""
    return _lids(piece, 0.17 * _arch(piece), 0.07 * _arch(piece))


def eye_look_in(piece: Piece) -> Array:
    """Let the cornea push the lids towards the nose."""
    return _lids(piece, 0.0, 0.0) + _beside(piece, -0.13)


def eye_look_out(piece: Piece) -> Array:
    """Let the cornea push the lids towards the temple."""
    return _lids(piece, 0.0, 0.0) + _beside(piece, 0.13)


def _beside(piece: Piece, x: float) -> Array:
    weight = np.abs(piece.lid) * _arch(piece) * (piece.anchor[:, 0] > 0)
    return vector(weight, x, 0.0, 0.02)


def eye_squint(piece: Piece) -> Array:
    """Raise the lower lid, lower the upper one a little, gather the cheek."""
    cheek = spot(piece, (3.4, -1.2, 7.0), (2.6, 1.6, 3.0))
    return _lids(piece, -0.16 * piece.aperture, 0.30 * piece.aperture) + vector(
        cheek, 0.0, 0.28, 0.12
    )


def eye_wide(piece: Piece) -> Array:
    """Open the lids beyond rest."""
    return _lids(piece, 0.17 * _arch(piece), -0.10 * _arch(piece))


def _off_lids(piece: Piece) -> Array:
    return np.asarray(1.0 - 0.85 * np.abs(piece.lid))


def brow_down(piece: Piece) -> Array:
    """Draw the brow down and towards the nose."""
    inner = spot(piece, (1.4, 2.5, 8.3), (2.4, 2.0, 3.5))
    whole = spot(piece, (3.0, 2.8, 7.7), (3.0, 2.2, 4.0))
    down = vector(inner, -0.22, -0.42, 0.18) + vector(whole, -0.12, -0.36, 0.05)
    return down * left_half(piece)[:, None]


def brow_inner_up(piece: Piece) -> Array:
    """Raise the inner ends of both brows."""
    total = np.zeros_like(piece.at)
    for side in (1, -1):
        inner = spot(piece, (side * 1.6, 2.9, 8.1), (2.6, 3.0, 5.0)) * _off_lids(piece)
        total += vector(inner, -0.1 * side, 0.85, 0.05)
    return total


def brow_outer_up(piece: Piece) -> Array:
    """Raise the outer end of the brow."""
    outer = spot(piece, (4.1, 3.0, 6.9), (3.3, 3.2, 5.0)) * _off_lids(piece)
    return vector(outer * left_half(piece), 0.05, 0.98, 0.0)


def cheek_puff(piece: Piece) -> Array:
    """Blow up both cheeks behind closed lips."""
    total = np.zeros_like(piece.at)
    for side in (1, -1):
        weight = spot(piece, (side * 4.3, -4.9, 5.6), (3.6, 3.8, 4.5))
        total += vector(weight, side * 0.85, 0.05, 0.5)
    lips = spot(piece, (0.0, -5.6, 9.1), (2.6, 2.2, 3.0))
    return np.asarray(total + vector(lips, 0.0, 0.0, 0.25))


def cheek_squint(piece: Piece) -> Array:
    """Lift the cheek under the eye."""
    cheek = spot(piece, (3.6, -1.9, 6.8), (2.9, 2.6, 3.5))
    return vector(cheek, 0.10, 0.58, 0.32) + _lids(piece, 0.0, 0.16 * piece.aperture)


def nose_sneer(piece: Piece) -> Array:
    """Raise the wing of the nose and wrinkle its side."""
    wing = spot(piece, (1.25, -2.9, 9.0), (1.5, 1.5, 2.2))
    side = spot(piece, (0.9, -0.4, 8.6), (1.4, 1.7, 2.5))
    lip = spot(piece, (1.3, -4.9, 9.0), (1.9, 1.7, 2.2))
    wrinkle = 0.10 * np.cos(2 * np.pi * (piece.anchor[:, 1] + 0.4) / 1.0)
    raised = vector(wing, 0.16, 0.58, 0.05) + vector(lip, 0.0, 0.36, 0.06)
    total = raised + vector(side, 0.0, 0.26, 0.10 + wrinkle)
    return np.asarray(total * left_half(piece)[:, None])


if TYPE_CHECKING:
    Formula = Callable[[Piece], Array]

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
    "cheekPuff": cheek_puff,
    "browInnerUp": brow_inner_up,
    "tongueOut": mouth_shapes.tongue_out,
}

LEFT: dict[str, Formula] = {
    "eyeBlink": eye_blink,
    "eyeLookDown": eye_look_down,
    "eyeLookIn": eye_look_in,
    "eyeLookOut": eye_look_out,
    "eyeLookUp": eye_look_up,
    "eyeSquint": eye_squint,
    "eyeWide": eye_wide,
    "jaw": mouth_shapes.jaw_left,
    "mouth": mouth_shapes.left,
    "mouthSmile": mouth_shapes.smile,
    "mouthFrown": mouth_shapes.frown,
    "mouthDimple": mouth_shapes.dimple,
    "mouthStretch": mouth_shapes.stretch,
    "mouthPress": mouth_shapes.press,
    "mouthLowerDown": mouth_shapes.lower_down,
    "mouthUpperUp": mouth_shapes.upper_up,
    "browDown": brow_down,
    "browOuterUp": brow_outer_up,
    "cheekSquint": cheek_squint,
    "noseSneer": nose_sneer,
}


def _right(formula: Formula) -> Formula:
    def field(piece: Piece) -> Array:
        return np.asarray(formula(piece.mirrored()) * np.array([-1.0, 1.0, 1.0]))

    return field


SHAPES: dict[str, Formula] = (
    CENTRE
    | {f"{name}Left": formula for name, formula in LEFT.items()}
    | {f"{name}Right": _right(formula) for name, formula in LEFT.items()}
)
"""By ARKit name, what each shape adds to a piece's points, [points, 3]."""
