"""The separate parts of the head: hair, brows, ears, eyeballs, teeth, tongue and the collar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.heads import mesh
from cstalk_bridge.heads.mesh import smoothstep
from tools.sculpt import surface
from tools.sculpt.landmarks import EYE_RADIUS, MIDDLE, bell, brow_line
from tools.sculpt.piece import Piece, joined, strip, welded

if TYPE_CHECKING:
    from cstalk_bridge.heads.mesh import Array


_ROWS, _COLUMNS = 16, 72
_SEED = 7


def build_hair() -> Piece:
    """Return short hair: a cap of combed tufts that fades into the skin at its edge."""
    azimuth = np.linspace(-np.pi, np.pi, _COLUMNS, endpoint=False)
    weight = np.linspace(0, 1, _ROWS) ** 0.72
    chance = np.random.default_rng(_SEED)
    end = _hairline(azimuth) + np.radians(0.9) * chance.uniform(-1, 1, _COLUMNS)
    elevation = np.radians(89.6) + (end - np.radians(89.6)) * weight[:, None]
    turn = np.broadcast_to(azimuth, elevation.shape)
    directions = np.stack(
        [np.cos(elevation) * np.sin(turn), np.sin(elevation), np.cos(elevation) * np.cos(turn)], -1
    ).reshape(-1, 3)
    skin = surface.cast_to_skin(np.broadcast_to(MIDDLE, directions.shape), directions)
    tuft = _tufts(chance, weight, azimuth)
    thick = _thickness(weight[:, None], turn, elevation) * (1 + 0.35 * tuft)
    away_deg = _from_edge(directions, azimuth, end).reshape(turn.shape)
    edge = smoothstep(away_deg, 0.0, 18.0)
    at = skin + directions * (thick * edge + 0.05).reshape(-1, 1)
    light = np.clip(0.35 + 0.5 * tuft, 0, 1).reshape(-1, 1)
    hair = mesh.HAIR + light * 0.6 * (mesh.HAIR_LIGHT - mesh.HAIR)
    cover = smoothstep(away_deg + 0.9 * tuft, 0.3, 9.0).reshape(-1, 1) * (away_deg > 0.01).reshape(
        -1, 1
    )
    short = (smoothstep(thick, 0.05, 0.28).reshape(-1, 1)) * 0.45 + 0.55
    colours = mesh.SKIN + cover * short * (hair - mesh.SKIN)
    numbers = np.arange(len(at)).reshape(_ROWS, _COLUMNS)
    return Piece.of(at, strip(list(numbers), ring=True), colours)


def _hairline(azimuth: Array) -> Array:
    """Return the elevation in radians at which hair ends, by azimuth."""
    side = np.degrees(np.abs(azimuth))
    knots = (0, 18, 32, 42, 52, 60, 68, 72, 80, 85, 100, 112, 122, 140, 180)
    ends = (47.5, 48, 50, 45, 30, 22, 6, -3, -3, 10, 17, 8, -16, -30, -33)
    return np.radians(np.interp(side, knots, ends))


def _from_edge(directions: Array, azimuth: Array, end: Array) -> Array:
    """Return how far directions lie from the hairline, in degrees."""
    fine = np.linspace(-np.pi, np.pi, 4 * len(azimuth), endpoint=False)
    height = np.interp(fine, azimuth, end, period=2 * np.pi)
    line = np.stack(
        [np.cos(height) * np.sin(fine), np.sin(height), np.cos(height) * np.cos(fine)], axis=-1
    )
    return np.asarray(np.degrees(np.arccos(np.clip((directions @ line.T).max(1), -1, 1))))


def _tufts(chance: np.random.Generator, weight: Array, azimuth: Array) -> Array:
    """Return the rise of tufts that run from the crown outwards and sway, -1..1."""
    lines = chance.uniform(-1, 1, (7, len(azimuth)))
    place = weight * (len(lines) - 1)
    low = np.minimum(place.astype(np.intp), len(lines) - 2)
    part = (place - low)[:, None]
    mixed = lines[low] * (1 - part) + lines[low + 1] * part
    return np.asarray(mixed * smoothstep(weight, 0.02, 0.25)[:, None])


def _thickness(weight: Array, turn: Array, elevation: Array) -> Array:
    """Return how thick the hair is: long on top, cropped at the sides and the back."""
    top = smoothstep(np.degrees(elevation), 22.0, 62.0)
    front = bell(np.degrees(turn), 0.0, 80.0) * smoothstep(weight, 0.2, 0.7)
    return np.asarray(0.14 + 0.60 * top + 0.40 * front * top)


_STRANDS = 48


def build_brow() -> Piece:
    """Return the left brow: hairs that lie on the bone, upright at the nose and flat outwards."""
    chance = np.random.default_rng(_SEED)
    along = (np.arange(_STRANDS) + chance.uniform(0, 1, _STRANDS)) / _STRANDS * 0.94
    x, y, half = brow_line(along)
    across = chance.uniform(-1, 1, _STRANDS)
    lean = np.radians(52 - 60 * along**0.6 - 22 * across * smoothstep(along, 0.1, 0.4))
    length = (0.46 + 0.22 * chance.uniform(0, 1, _STRANDS)) * (1.0 - 0.35 * along)
    ahead = np.stack([np.cos(lean), np.sin(lean)], axis=1)
    beside = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1) * 0.05
    root = np.stack([x, y + 0.65 * half * across], axis=1) - 0.40 * length[:, None] * ahead
    flat = np.stack([root + beside, root + length[:, None] * ahead, root - beside], axis=1)
    lift = np.broadcast_to(np.array([0.03, 0.10, 0.03]), flat.shape[:2]).reshape(-1)
    flat = flat.reshape(-1, 2)
    start = np.stack([0.6 * flat[:, 0], flat[:, 1], np.full(len(flat), 2.0)], axis=1)
    out = np.stack([0.4 * flat[:, 0], 0 * flat[:, 0], np.full(len(flat), 4.5)], axis=1)
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    at = surface.cast_to_skin(start, out) + lift[:, None] * out
    triangles = np.arange(len(at), dtype=np.int32).reshape(-1, 3)[:, ::-1]
    shade = np.repeat(chance.uniform(0.9, 1.7, _STRANDS), 3)[:, None]
    hairs = Piece.of(at, triangles, mesh.BROW * shade, follow=1.0)
    return joined([_brow_body(), hairs])


def _brow_body() -> Piece:
    """Return the dense part of the left brow, which grows lighter towards its edges."""
    along = np.linspace(0.02, 1, 13)
    x, y, half = brow_line(along)
    rows, colours = [], []
    for height, lift, dense in ((1.0, 0.0, 0.55), (0.1, 0.08, 0.95), (-1.0, 0.0, 0.65)):
        start = np.stack([0.6 * x, y + half * height, 2.0 + 0 * x], axis=1)
        out = np.stack([0.4 * x, 0 * x, 4.5 + 0 * x], axis=1)
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        rows.append(surface.cast_to_skin(start, out) + lift * out)
        share = (dense * smoothstep(along, -0.12, 0.15))[:, None]
        colours.append(mesh.SKIN + share * (mesh.BROW - mesh.SKIN))
    numbers = np.arange(3 * len(x)).reshape(3, -1)
    return Piece.of(np.concatenate(rows), strip(list(numbers)), np.concatenate(colours), follow=1.0)


_EAR_RINGS = (0.0, 0.16, 0.30, 0.42, 0.52, 0.62, 0.72, 0.82, 0.92, 1.0)
"""Rings of the ear's front by their share of its outline; three more lead behind it."""
_EAR_BACK = ((1.03, -0.10), (0.92, -0.32), (0.62, -0.55), (0.35, -1.1))


def build_ear() -> Piece:
    """Return the left ear."""
    around = 26
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)
    low = smoothstep(-np.sin(angle), 0.3, 1.0)
    wide = 1.60 * (1 - 0.16 * low) * (1 + 0.10 * np.sin(angle))
    rows, depths = [], []
    for share, height in [(share, None) for share in _EAR_RINGS] + list(_EAR_BACK):
        rise = (
            _ear_relief(share, angle)
            if height is None
            else height + 0.12 * (1 - low) - _lobe_in(share, angle)
        )
        rows.append(
            np.stack([rise, 2.6 * share * np.sin(angle), share * wide * _rounded(angle)], axis=1)
        )
        depths.append(smoothstep(rise, 0.10, -0.30) if height is None else 0.15 + 0 * angle)
    local = np.concatenate(rows)
    lean, flare = np.radians(-12), np.radians(20)
    y = np.cos(lean) * local[:, 1] - np.sin(lean) * local[:, 2]
    z = np.cos(lean) * local[:, 2] + np.sin(lean) * local[:, 1]
    x = np.cos(flare) * local[:, 0] - np.sin(flare) * z
    z = np.cos(flare) * z + np.sin(flare) * local[:, 0]
    at = np.stack([x, y, z], axis=1) + np.array([7.42, -0.6, -1.3])
    numbers = np.arange(len(at)).reshape(-1, around)
    deep = np.concatenate(depths)[:, None]
    colours = mesh.SKIN + (0.20 + 0.65 * deep) * (mesh.SHADE - mesh.SKIN)
    return Piece.of(at, strip(list(numbers[::-1]), ring=True), colours)


def _lobe_in(share: float, angle: Array) -> Array:
    """Return how far the lobe leans towards the neck, in cm."""
    return np.asarray(0.55 * share**2 * smoothstep(-np.sin(angle), 0.2, 1.0))


def _rounded(angle: Array) -> Array:
    """Return the cosine of an outline that is fuller than an ellipse."""
    return np.asarray(np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.82)


def _ear_relief(share: float, angle: Array) -> Array:
    """Return the height of the ear's front over its plane, in cm, on one ring."""
    ring = np.full_like(angle, share)
    up, ahead = np.sin(angle), np.cos(angle)
    rim = smoothstep(up, -0.75, -0.15) + smoothstep(ahead, 0.2, -0.5) * smoothstep(up, -0.9, -0.5)
    helix = 0.30 * np.exp(-(((ring - 0.93) / 0.09) ** 2)) * np.clip(rim, 0, 1)
    behind = smoothstep(ahead, 0.25, -0.35)
    antihelix = 0.26 * np.exp(-(((ring - 0.60) / 0.12) ** 2)) * behind * smoothstep(up, -0.9, -0.4)
    bowl = -0.42 * smoothstep(ring, 0.55, 0.18)
    tragus = 0.34 * np.exp(-(((ring - 0.58) / 0.16) ** 2)) * smoothstep(ahead, 0.72, 1.0)
    lobe = 0.10 * smoothstep(-up, 0.5, 1.0) * smoothstep(ring, 0.5, 0.8)
    return np.asarray(
        helix + antihelix + bowl + tragus + lobe - 0.08 * ahead - _lobe_in(share, angle)
    )


_RINGS = (0, 5, 9.2, 9.8, 13, 17, 21, 23.6, 25.0, 30, 40, 52, 66, 82, 110)
"""Angles from the gaze in degrees; pupil to 9.5, iris to 24.3."""

_AROUND = 24
_PUPIL, _IRIS = 9.5, 24.3
_IRIS_DARK, _IRIS_LIGHT = mesh.linear_rgb("#41586a"), mesh.linear_rgb("#8aa3ab")


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
        rim = float(smoothstep(np.array([polar]), 17.0, 24.6)[0])
        iris = _IRIS_DARK + (0.05 + 0.75 * low) * (_IRIS_LIGHT - _IRIS_DARK)
        return np.asarray((iris * fibre) * (1 - rim) + mesh.LIMBUS * rim)
    shade = 1 - 0.35 * float(smoothstep(np.array([polar]), 34.0, 78.0)[0])
    return np.broadcast_to(mesh.SCLERA * 0.80 * shade, (len(angle), 3))


def _catch_light() -> Piece:
    """Return the reflection of a window, above and to the character's right of the pupil."""
    spots = []
    for yaw, pitch, size in ((-0.17, 0.20, 0.12),):
        angle = np.linspace(0, 2 * np.pi, 14, endpoint=False)
        x = np.concatenate([[0.0], size * np.cos(angle)]) + EYE_RADIUS * np.sin(yaw)
        y = np.concatenate([[0.0], size * np.sin(angle)]) + EYE_RADIUS * np.sin(pitch)
        z = np.sqrt((EYE_RADIUS + 0.065) ** 2 - x**2 - y**2)
        rows = [np.zeros(14, dtype=np.intp), np.arange(1, 15)]
        spots.append(Piece.of(np.stack([x, y, z], axis=1), strip(rows, ring=True), mesh.CATCH))
    return joined(spots)


_TEETH, _COLUMNS_PER_TOOTH = 10, 3
_UPPER_EDGE_Y, _LOWER_EDGE_Y = -5.88, -5.80
_TOOTH = mesh.TOOTH * np.array([0.66, 0.63, 0.58])


_PROFILE = (
    (1.9, -0.55, mesh.GUM),
    (1.45, -0.05, mesh.GUM),
    (0.98, 0.06, mesh.GUM),
    (0.90, -0.02, _TOOTH),
    (0.45, 0.08, _TOOTH),
    (0.08, 0.00, _TOOTH),
    (0.00, -0.10, _TOOTH),
    (0.04, -0.26, _TOOTH),
    (0.80, -0.45, mesh.GUM),
)
"""A section through teeth: height over the biting edge, distance before the arch, colour."""


def build_teeth(*, upper: bool) -> Piece:
    """Return a row of teeth in its gum; the lower one moves with the jaw and stands further in."""
    count = _TEETH * _COLUMNS_PER_TOOTH + 1
    across = np.linspace(-1, 1, count)
    size = 1.0 if upper else 0.88
    x = 2.05 * size * np.sin(across * np.pi / 2 * 0.96)
    front = 7.80 if upper else 7.50
    z = front - 3.4 * (1 - np.cos(across * np.pi / 2 * 0.96)) ** 1.15
    phase = np.abs(np.sin(np.linspace(0, np.pi * _TEETH, count)))
    bulge, notch = 0.09 * phase**0.5 - 0.06, 0.06 * (1 - phase**0.6)
    sign = 1.0 if upper else -1.0
    edge = _UPPER_EDGE_Y if upper else _LOWER_EDGE_Y
    out = np.stack([np.sin(across * np.pi / 2), np.cos(across * np.pi / 2)])
    rows, colours = [], []
    for height, before, colour in _PROFILE:
        tooth = colour is _TOOTH
        reach = before + bulge * tooth
        rise = height + (notch if height < 0.2 else -0.12 * phase * (height < 1))
        y = edge + sign * rise * (1.0 if upper else 0.92) - (0.0 if upper else 0.45) * across**2
        rows.append(np.stack([x + out[0] * reach, y, z + out[1] * reach], axis=1))
        shade = np.where(tooth, 0.72 + 0.28 * phase[:, None] ** 0.4, 1.0)
        back = 1 - 0.80 * np.abs(across[:, None]) ** (2.6 if upper else 1.6)
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
    rise = -6.38 + 0.28 * np.sin(np.pi * weight**0.8) - 0.05 * weight
    side, up = np.sin(angle), np.cos(angle)
    groove = 0.16 * np.exp(-((side / 0.22) ** 2)) * (up > 0)
    x = width[:, None] * side
    y = rise[:, None] + height[:, None] * (up - groove)
    z = np.broadcast_to((2.6 + 4.50 * weight)[:, None], x.shape)
    at = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    numbers = np.arange(len(at)).reshape(along, around)
    colours = mesh.TONGUE * (0.20 + 0.80 * weight**2)[:, None, None] + np.zeros((along, around, 3))
    tongue = Piece.of(at, strip(list(numbers), ring=True), colours.reshape(-1, 3), jaw=0.88)
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
