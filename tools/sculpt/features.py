"""The separate parts of the head: hair, brows, ears, eyeballs, teeth, tongue and the collar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.heads import mesh
from cstalk_bridge.heads.mesh import smoothstep
from tools.sculpt import surface
from tools.sculpt.landmarks import EYE_RADIUS, MIDDLE, bell
from tools.sculpt.piece import Piece, joined, strip, welded

if TYPE_CHECKING:
    from cstalk_bridge.heads.mesh import Array


_ROWS, _COLUMNS = 19, 76


def build_hair() -> Piece:
    """Return short hair as one thick cap with combed grooves, parted on the left."""
    azimuth = np.linspace(-np.pi, np.pi, _COLUMNS, endpoint=False)
    weight = np.linspace(0, 1, _ROWS) ** 0.9
    end = _hairline(azimuth)
    elevation = np.radians(89.6) + (end - np.radians(89.6)) * weight[:, None]
    turn = np.broadcast_to(azimuth, elevation.shape)
    directions = np.stack(
        [np.cos(elevation) * np.sin(turn), np.sin(elevation), np.cos(elevation) * np.cos(turn)], -1
    ).reshape(-1, 3)
    skin = surface.cast_to_skin(np.broadcast_to(MIDDLE, directions.shape), directions)
    thick, groove = _thickness(weight[:, None], turn)
    at = skin + directions * thick.reshape(-1, 1)
    light = np.clip(0.35 + 0.65 * groove.reshape(-1, 1), 0, 1)
    colours = mesh.HAIR + light * 0.75 * (mesh.HAIR_LIGHT - mesh.HAIR)
    numbers = np.arange(len(at)).reshape(_ROWS, _COLUMNS)
    return Piece.of(at, strip(list(numbers), ring=True), colours)


def _hairline(azimuth: Array) -> Array:
    """Return the elevation in radians at which hair ends, by azimuth."""
    side = np.degrees(np.abs(azimuth))
    knots = (0, 25, 42, 56, 66, 74, 81, 88, 100, 112, 122, 140, 180)
    ends = (49, 47, 40, 27, 14, 3, 4, 16, 19, 10, -22, -34, -37)
    return np.radians(np.interp(side, knots, ends) + 5.0 * bell(np.degrees(azimuth), 22.0, 22.0))


def _thickness(weight: Array, turn: Array) -> tuple[Array, Array]:
    """Return how thick the hair is and how light its grooves are, -1..1."""
    side = np.degrees(turn)
    front = bell(side, -8.0, 75.0)
    volume = (
        0.8
        + 0.75 * front * smoothstep(weight, 0.2, 0.75)
        - 0.25 * smoothstep(np.abs(side), 60, 150)
    )
    volume = volume + 0.5 * bell(side, -10.0, 110.0) * bell(weight, 0.5, 0.5)
    parting = 0.5 * bell(side, 26.0, 11.0) * smoothstep(weight, 0.15, 0.5)
    swirl = turn * 26 + 9 * weight * np.sign(side - 26) + 1.6 * np.sin(3 * turn)
    groove = np.sin(swirl) * smoothstep(weight, 0.05, 0.35)
    edge = np.sqrt(np.clip(1 - weight**7, 0, 1))
    thick = (volume - parting + 0.07 * groove) * edge - 0.2 * weight**8
    return thick, groove


def build_brow() -> Piece:
    """Return the left brow: a tapering ridge along the bone."""
    along = np.linspace(0, 1, 15)
    x = 1.25 + 3.75 * along
    y = 3.3 + 0.55 * np.sin(np.pi * along**1.2 * 0.78) - 0.25 * along
    half = 0.33 * (1 - along) ** 0.6 * smoothstep(along, -0.10, 0.14) + 0.05
    rows, heights = [], (1.0, 0.45, -0.45, -1.0)
    for height, lift in zip(heights, (-0.06, 0.17, 0.17, -0.06), strict=True):
        start = np.stack([0.6 * x, y + half * height, 2.0 + 0 * x], axis=1)
        ahead = np.stack([0.4 * x, 0 * x, 4.5 + 0 * x], axis=1)
        ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
        rows.append(surface.cast_to_skin(start, ahead) + lift * ahead)
    numbers = np.arange(4 * len(x)).reshape(4, -1)
    return Piece.of(np.concatenate(rows), strip(list(numbers)), mesh.BROW, follow=1.0)


_EAR_PROFILE = ((0.0, -0.30), (0.25, -0.32), (0.45, -0.18), (0.6, 0.05), (0.72, 0.02), (0.86, 0.26),
                (0.97, 0.26), (1.05, 0.08), (0.95, -0.12), (0.6, -0.45), (0.35, -0.9))  # fmt: skip
"""A section from the middle of the ear over its rim to its back: weight of radius, height in cm."""


def build_ear() -> Piece:
    """Return the left ear."""
    around = 22
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)
    lobe = smoothstep(-np.sin(angle), 0.2, 1.0)
    rim = 1.0 + 0.10 * np.sin(angle) - 0.12 * lobe
    rows = []
    for radius, height in _EAR_PROFILE:
        forward = radius * rim * np.cos(angle) * 1.25 * (1 - 0.25 * lobe)
        up = radius * rim * np.sin(angle) * 2.15
        rows.append(np.stack([height * (1 - 0.5 * lobe) + 0 * angle, up, forward], axis=1))
    local = np.concatenate(rows)
    lean, flare = np.radians(-10), np.radians(34)
    y = np.cos(lean) * local[:, 1] - np.sin(lean) * local[:, 2]
    z = np.cos(lean) * local[:, 2] + np.sin(lean) * local[:, 1]
    x = np.cos(flare) * local[:, 0] - np.sin(flare) * z
    z = np.cos(flare) * z + np.sin(flare) * local[:, 0]
    at = np.stack([x, y, z], axis=1) + np.array([7.1, -0.3, -0.9])
    numbers = np.arange(len(at)).reshape(-1, around)
    deep = smoothstep(np.repeat([height for _, height in _EAR_PROFILE], around), 0.15, -0.35)[
        :, None
    ]
    colours = mesh.SKIN + (0.3 + 0.5 * deep) * (mesh.SHADE - mesh.SKIN)
    return Piece.of(at, strip(list(numbers[::-1]), ring=True), colours)


_RINGS = (0, 5, 10.2, 10.8, 15, 20, 25, 28.2, 29.4, 34, 42, 52, 64, 78, 95, 120)
"""Angles from the gaze in degrees; pupil to 10.5, iris to 28.8."""

_AROUND = 24
_PUPIL, _IRIS = 10.5, 28.8


def build_eye() -> Piece:
    """Return an eyeball about the origin which looks along +Z."""
    angle = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)
    polar = np.array(_RINGS, dtype=np.float64)
    bulge = 0.05 * smoothstep(polar, 32.0, 12.0)
    radius = EYE_RADIUS + bulge
    out = np.radians(polar)[:, None]
    at = np.stack(
        [
            radius[:, None] * np.sin(out) * np.cos(angle),
            radius[:, None] * np.sin(out) * np.sin(angle),
            radius[:, None] * np.cos(out) + 0 * angle,
        ],
        axis=-1,
    ).reshape(-1, 3)
    colours = np.stack([_ring_colour(ring, angle) for ring in polar]).reshape(-1, 3)
    numbers = np.arange(len(at)).reshape(len(polar), _AROUND)
    ball = Piece.of(at, strip(list(numbers), ring=True), colours)
    return joined([welded(ball), _catch_light()])


def _ring_colour(polar: float, angle: Array) -> Array:
    """Return the colours of a ring: the iris is lighter below, where light falls through it."""
    if polar < _PUPIL:
        return np.broadcast_to(mesh.PUPIL, (len(angle), 3))
    if polar < _IRIS:
        low = (0.5 - 0.5 * np.sin(angle))[:, None]
        fibre = (0.85 + 0.15 * np.cos(9 * angle))[:, None]
        rim = float(smoothstep(np.array([polar]), 19.0, 29.0)[0])
        iris = mesh.IRIS + (0.15 + 0.75 * low) * (mesh.IRIS_LIGHT - mesh.IRIS)
        return np.asarray((iris * fibre) * (1 - rim) + mesh.LIMBUS * rim)
    shade = 1 - 0.35 * float(smoothstep(np.array([polar]), 34.0, 78.0)[0])
    return np.broadcast_to(mesh.SCLERA * shade, (len(angle), 3))


def _catch_light() -> Piece:
    """Return the reflection of a window, above and to the character's right of the pupil."""
    spots = []
    for yaw, pitch, size in ((-0.20, 0.24, 0.20), (0.17, -0.17, 0.09)):
        angle = np.linspace(0, 2 * np.pi, 14, endpoint=False)
        x = np.concatenate([[0.0], size * np.cos(angle)]) + EYE_RADIUS * np.sin(yaw)
        y = np.concatenate([[0.0], size * np.sin(angle)]) + EYE_RADIUS * np.sin(pitch)
        z = np.sqrt((EYE_RADIUS + 0.065) ** 2 - x**2 - y**2)
        rows = [np.zeros(14, dtype=np.intp), np.arange(1, 15)]
        spots.append(Piece.of(np.stack([x, y, z], axis=1), strip(rows, ring=True), mesh.CATCH))
    return joined(spots)


_TEETH, _COLUMNS_PER_TOOTH = 10, 4
_UPPER_EDGE_Y, _LOWER_EDGE_Y = -5.92, -5.84

_PROFILE = (
    (1.9, -0.55, mesh.GUM),
    (1.45, -0.05, mesh.GUM),
    (0.98, 0.06, mesh.GUM),
    (0.90, -0.02, mesh.TOOTH),
    (0.45, 0.08, mesh.TOOTH),
    (0.08, 0.00, mesh.TOOTH),
    (0.00, -0.10, mesh.TOOTH),
    (0.04, -0.26, mesh.TOOTH),
    (0.80, -0.45, mesh.GUM),
)
"""A section through teeth: height over the biting edge, distance before the arch, colour."""


def build_teeth(*, upper: bool) -> Piece:
    """Return a row of teeth in its gum; the lower one moves with the jaw and stands further in."""
    count = _TEETH * _COLUMNS_PER_TOOTH + 1
    across = np.linspace(-1, 1, count)
    size = 1.0 if upper else 0.93
    x = 2.05 * size * np.sin(across * np.pi / 2 * 0.96)
    front = 7.75 if upper else 7.45
    z = front - 3.4 * (1 - np.cos(across * np.pi / 2 * 0.96)) ** 1.15
    phase = np.abs(np.sin(np.linspace(0, np.pi * _TEETH, count)))
    bulge, notch = 0.09 * phase**0.5 - 0.06, 0.06 * (1 - phase**0.6)
    sign = 1.0 if upper else -1.0
    edge = _UPPER_EDGE_Y if upper else _LOWER_EDGE_Y
    out = np.stack([np.sin(across * np.pi / 2), np.cos(across * np.pi / 2)])
    rows, colours = [], []
    for height, before, colour in _PROFILE:
        tooth = colour is mesh.TOOTH
        reach = before + bulge * tooth
        rise = height + (notch if height < 0.2 else -0.12 * phase * (height < 1))
        y = edge + sign * rise * (1.0 if upper else 0.92)
        rows.append(np.stack([x + out[0] * reach, y, z + out[1] * reach], axis=1))
        shade = np.where(tooth, 0.72 + 0.28 * phase[:, None] ** 0.4, 1.0)
        back = 1 - 0.45 * np.abs(across[:, None]) ** 3
        colours.append(colour * shade * back)
    numbers = np.arange(len(rows) * count).reshape(len(rows), count)
    triangles = strip(list(numbers if upper else numbers[::-1]))
    return Piece.of(
        np.concatenate(rows), triangles, np.concatenate(colours), jaw=0.0 if upper else 1.0
    )


def build_tongue() -> Piece:
    """Return the tongue, lying on the floor of the mouth; `follow` grows towards its tip."""
    around, along = 16, 12
    weight = np.linspace(0, 1, along)
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)
    tip = np.sqrt(np.clip(1 - np.clip((weight - 0.70) / 0.30, 0, 1) ** 2.6, 0, 1))
    width, height = (1.55 - 0.25 * weight) * tip, (0.62 - 0.28 * weight) * tip**0.7
    rise = -6.75 + 0.28 * np.sin(np.pi * weight**0.8) - 0.05 * weight
    side, up = np.sin(angle), np.cos(angle)
    groove = 0.16 * np.exp(-((side / 0.22) ** 2)) * (up > 0)
    x = width[:, None] * side
    y = rise[:, None] + height[:, None] * (up - groove)
    z = np.broadcast_to((2.6 + 4.35 * weight)[:, None], x.shape)
    at = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    numbers = np.arange(len(at)).reshape(along, around)
    colours = mesh.TONGUE * (0.15 + 0.75 * weight**2)[:, None, None] + np.zeros((along, around, 3))
    tongue = Piece.of(at, strip(list(numbers), ring=True), colours.reshape(-1, 3), jaw=0.92)
    tongue.follow[:] = np.repeat(weight, around)
    return tongue


_SECTION = (
    (-13.1, 3.7),
    (-12.95, 4.75),
    (-13.15, 5.0),
    (-14.3, 5.6),
    (-15.4, 7.0),
    (-15.9, 7.4),
    (-16.1, 6.9),
    (-16.1, 0.0),
)
"""Height and radius from the inside of the collar over its edge to the middle below."""


def build_collar() -> Piece:
    """Return the collar which closes the neck below."""
    around = 40
    turn = np.linspace(-np.pi, np.pi, around, endpoint=False)
    rows = []
    for height, radius in _SECTION:
        wide = radius * (1 + 0.28 * smoothstep(np.array([-height]), 13.5, 16.0))
        low = 0.55 * np.cos(turn) * (height > -14)
        z = -2.6 - 0.10 * (height + 13) + radius * 0.98 * np.cos(turn)
        rows.append(np.stack([wide * np.sin(turn), height - low, z], axis=1))
    at = np.concatenate(rows)
    numbers = np.arange(len(at)).reshape(-1, around)
    inside = np.repeat(np.arange(len(_SECTION)) == 0, around)[:, None]
    colours = np.where(inside, mesh.CLOTH_DARK, mesh.CLOTH)
    return Piece.of(at, strip(list(numbers), ring=True), colours)
