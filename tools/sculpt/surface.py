"""The surface of head and neck: a signed distance field, and the grid of rows and columns that
is cast onto it.

The field is made of smoothly joined ellipsoids. The grid is denser around eyes and mouth, and
cut along both.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.heads.mesh import smoothstep
from tools.sculpt.landmarks import (
    EYE,
    EYE_INNER_X,
    EYE_OUTER_X,
    LID_RADIUS,
    MIDDLE,
    MOUTH_X,
    NECK_END,
    lid_lines,
    lower_lip_height,
    mouth_line,
    upper_lip_height,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cstalk_bridge.heads.mesh import Array


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """An ellipsoid which is joined to the form over `blend` cm, or taken out of it.

    Off the middle it stands on both sides. `pitch` turns its top forward, in degrees; `power` 2 is
    an ellipsoid, more is boxier.
    """

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    blend: float
    pitch: float = 0.0
    power: float = 2.0
    hollow: bool = False


ELLIPSOIDS = (
    Ellipsoid((0, 3.0, -1.1), (7.1, 8.5, 8.5), 0.0),  # skull
    Ellipsoid((0, 3.6, 1.6), (5.8, 5.6, 6.3), 2.0, power=2.3),  # forehead
    Ellipsoid((0, -1.4, 2.2), (6.0, 6.6, 5.6), 2.4, power=2.3),  # face
    Ellipsoid((0, -6.0, 3.3), (4.15, 4.0, 4.8), 2.8, power=2.1),  # jaw
    Ellipsoid((3.8, -4.8, 0.6), (1.4, 2.4, 2.4), 2.4),  # angle of the jaw
    Ellipsoid((0, -8.6, 6.95), (1.95, 1.3, 1.6), 1.6),  # chin
    Ellipsoid((0, -5.0, 5.9), (3.2, 3.1, 2.95), 1.3),  # muzzle
    Ellipsoid((0, -4.2, 8.05), (1.6, 1.1, 1.25), 0.9),  # under the nose
    Ellipsoid((3.7, -1.9, 4.9), (2.1, 1.8, 2.1), 1.6),  # cheek
    Ellipsoid((2.6, 2.7, 6.4), (2.5, 0.7, 1.4), 1.1),  # brow
    Ellipsoid((0, 2.6, 7.0), (1.3, 1.2, 1.35), 1.1),  # between the brows
    Ellipsoid((3.0, 0.55, 8.95), (1.9, 1.15, 1.65), 1.0, hollow=True),  # eye socket
    Ellipsoid((0, -0.65, 8.43), (0.64, 2.3, 0.80), 0.9, pitch=-26),  # bridge of the nose
    Ellipsoid((0, -1.8, 8.3), (1.10, 1.7, 1.25), 1.0, pitch=-22),  # sides of the nose
    Ellipsoid((0, -2.70, 9.38), (1.02, 0.88, 1.04), 0.7),  # tip of the nose
    Ellipsoid((1.13, -2.98, 8.85), (0.66, 0.68, 0.95), 0.45),  # wing of the nose
    Ellipsoid((0, -3.35, 9.1), (0.30, 0.50, 0.90), 0.35),  # between the nostrils
    Ellipsoid((0.68, -3.84, 9.2), (0.34, 0.34, 0.52), 0.22, hollow=True),  # nostril
    Ellipsoid((0, -4.45, 9.85), (0.26, 0.75, 0.42), 0.35, hollow=True),  # philtrum
    Ellipsoid((0, -7.3, 9.75), (1.8, 0.42, 0.95), 0.8, hollow=True),  # groove above the chin
    Ellipsoid((0, -13.0, -2.9), (4.25, 12.0, 4.4), 2.2, pitch=8, power=2.2),  # neck
    Ellipsoid((EYE[0], EYE[1], EYE[2]), (LID_RADIUS, LID_RADIUS, LID_RADIUS), 0.4),  # lids
)


_MAX_STEPS, _CLOSE_CM = 80, 1e-5


def signed_distance(points: Array) -> Array:
    """Return how far [points, 3] lie outside the form, in cm, negative inside; approximate."""
    total = np.full(len(points), np.inf)
    for ellipsoid in ELLIPSOIDS:
        one = _ellipsoid(points, ellipsoid)
        if not np.isfinite(total).all():
            total = one
        elif ellipsoid.hollow:
            total = -_join(-total, one, ellipsoid.blend)
        else:
            total = _join(total, one, ellipsoid.blend)
    return total


def _ellipsoid(points: Array, ellipsoid: Ellipsoid) -> Array:
    centre = np.asarray(ellipsoid.centre)
    local = points - centre
    if centre[0]:
        local[:, 0] = np.sqrt(points[:, 0] ** 2 + 0.02) - centre[0]
    if ellipsoid.pitch:
        turn = np.radians(ellipsoid.pitch)
        y, z = local[:, 1].copy(), local[:, 2].copy()
        local[:, 1] = np.cos(turn) * y + np.sin(turn) * z
        local[:, 2] = np.cos(turn) * z - np.sin(turn) * y
    scaled = np.abs(local / np.asarray(ellipsoid.radii)) + 1e-9
    if ellipsoid.power == 2:
        norm = np.linalg.norm(scaled, axis=1)
    else:
        norm = (scaled**ellipsoid.power).sum(axis=1) ** (1 / ellipsoid.power)
    slope = np.linalg.norm(scaled / np.asarray(ellipsoid.radii), axis=1) / np.linalg.norm(
        scaled, axis=1
    )
    return np.asarray((norm - 1.0) / slope)


def _join(one: Array, other: Array, blend: float) -> Array:
    near = np.clip(blend - np.abs(one - other), 0.0, None) / max(blend, 1e-6)
    return np.minimum(one, other) - near * near * blend / 4


def cast_to_skin(origins: Array, directions: Array) -> Array:
    """Return where rays from inside, [rays, 3] with unit directions, leave the skin."""
    reach = np.zeros(len(origins))
    for _ in range(_MAX_STEPS):
        gap = signed_distance(origins + reach[:, None] * directions)
        reach -= 0.85 * gap
        if np.abs(gap).max() < _CLOSE_CM:
            break
    points = origins + reach[:, None] * directions
    return points + lip_relief(points)


def lip_relief(points: Array) -> Array:
    """Return how far the lips stand out of the muzzle, [points, 3]."""
    x = points[:, 0]
    above = points[:, 1] - mouth_line(x)
    taper = np.clip(1.0 - (x / MOUTH_X) ** 2, 0.0, 1.0)
    upper = np.clip(above / np.maximum(upper_lip_height(x), 0.05), 0.0, 1.0)
    lower = np.clip(-above / np.maximum(lower_lip_height(x), 0.05), 0.0, 1.0)
    swell = 0.34 * np.sin(np.pi * upper**0.85) + 0.42 * np.sin(np.pi * lower**0.8)
    crease = 0.13 * np.exp(-((above / 0.16) ** 2))
    corner = 0.16 * np.exp(-(((np.abs(x) - MOUTH_X) / 0.6) ** 2) - (above / 0.55) ** 2)
    front = points[:, 2] > 0
    relief = np.zeros_like(points)
    relief[:, 2] = front * ((swell - crease) * taper**0.5 - corner)
    return relief


if TYPE_CHECKING:
    Indices = NDArray[np.intp]

COLUMNS = ((0.0, 0), (13.2, 9), (15.5, 2), (16.4, 1), (35.0, 11), (56.0, 4), (88.0, 4), (180.0, 7))
"""Azimuths in degrees of the left half's marked columns, and how many columns lead to each."""

_COUNTED = np.cumsum([count for _, count in COLUMNS])
EYE_COLUMNS, MOUTH_COLUMN = (int(_COUNTED[1]), int(_COUNTED[4])), int(_COUNTED[3])
"""The columns at the corners of the left eye, and the one at the left corner of the mouth."""

ROWS = (
    ("crown", 0),
    ("hair", 4),
    ("forehead", 3),
    ("brow", 4),
    ("crease", 4),
    ("upper lid", 4),
    ("lower lid", 1),
    ("under eye", 4),
    ("nose", 10),
    ("upper lip", 5),
    ("mouth", 4),
    ("lower lip", 5),
    ("chin", 5),
    ("jaw", 4),
    ("neck", 6),
)
"""The marked rows from top to bottom, and how many rows lead to each."""


_LAST_ROWS = [int(row) for row in np.cumsum([count for _, count in ROWS])]


@dataclass(frozen=True, slots=True)
class Grid:
    """The skin's vertices by row and column, the columns from the back over the right side.

    `points` is [rows, columns, 3]; `row` gives the number of each marked row. The two rows
    `upper lid` and `lower lid` follow one another and coincide outside the eyes.
    """

    points: Array
    azimuths: Array
    row: dict[str, int]


def azimuths() -> Array:
    """Return the columns' azimuths in radians, from the back over the right side, [columns]."""
    half = [0.0]
    for (start, _), (end, count) in pairwise(COLUMNS):
        half += list(np.linspace(start, end, count + 1)[1:])
    left = np.radians(np.array(half))
    return np.concatenate([-left[:0:-1], left[:-1]])


def build_grid() -> Grid:
    """Lay the grid over the form."""
    columns = azimuths()
    rows = dict(zip((name for name, _ in ROWS), _LAST_ROWS, strict=True))
    marks = [_elevations(name, columns) for name, _ in ROWS[:-1]]
    lines = [marks[0][None]]
    for above, below, (_, count) in zip(marks, marks[1:], ROWS[1:], strict=False):
        weight = np.linspace(0, 1, count + 1)[1:, None]
        lines.append(above + (below - above) * weight)
    elevations = np.concatenate(lines)
    face = _cast(np.broadcast_to(MIDDLE, (*elevations.shape, 3)), elevations, columns)
    points = np.concatenate([face, _neck(marks[-1], columns)])
    for which, mark in enumerate(("upper lid", "lower lid")):
        _lay_lid(points[rows[mark]], which)
    _fold_lid(points, rows["crease"], columns)
    middle = len(columns) // 2
    lips = points[rows["mouth"], middle - MOUTH_COLUMN : middle + MOUTH_COLUMN + 1]
    lips[:, 1] = mouth_line(lips[:, 0])
    return Grid(points, columns, rows)


def _cast(origins: Array, elevations: Array, columns: Array) -> Array:
    azimuth = np.broadcast_to(columns, elevations.shape)
    directions = np.stack(
        [
            np.cos(elevations) * np.sin(azimuth),
            np.sin(elevations),
            np.cos(elevations) * np.cos(azimuth),
        ],
        axis=-1,
    )
    hits = cast_to_skin(origins.reshape(-1, 3), directions.reshape(-1, 3))
    return hits.reshape(*elevations.shape, 3)


def _elevations(mark: str, columns: Array) -> Array:
    """Return where each column crosses the marked row, as elevations from `MIDDLE`."""
    if mark == "crown":
        return np.full(len(columns), np.radians(89.5))
    elevation = np.zeros((1, len(columns)))
    for _ in range(12):
        hits = _cast(np.broadcast_to(MIDDLE, (*elevation.shape, 3)), elevation, columns)[0]
        height = _height(mark, hits[:, 0], columns)
        out = np.hypot(hits[:, 0], hits[:, 2])
        elevation = np.arctan2(height - MIDDLE[1], out)[None]
    return np.asarray(elevation[0])


def _height(mark: str, x: Array, columns: Array) -> Array:
    """Return the marked row's height at the points `x` of the front, going over to the sides."""
    side = smoothstep(np.abs(columns), np.radians(30), np.radians(100))
    away = smoothstep(np.abs(columns), np.radians(34), np.radians(52))
    beside = smoothstep(np.abs(columns), np.radians(14), np.radians(36))
    near = smoothstep(np.abs(columns), np.radians(7), np.radians(17))
    to_ear = 1.6 * side
    eye = _eye_x(columns)
    upper, lower = lid_lines(eye)
    spread = np.exp(-(((np.abs(columns) - np.radians(24)) / np.radians(17)) ** 2))
    heights = {
        "hair": np.full_like(x, 8.6),
        "forehead": np.full_like(x, 5.6),
        "brow": 2.75 + 0.2 * spread - 0.2 * side,
        "crease": upper * (1 - away) + 0.9 * away + 0.22 + 0.28 * spread,
        "upper lid": upper * (1 - away) + 0.9 * away,
        "lower lid": lower * (1 - away) + 0.9 * away,
        "under eye": lower * (1 - away) + 0.9 * away - 0.9,
        "nose": -3.72 + 2.0 * side,
        "upper lip": mouth_line(x) + upper_lip_height(x) + to_ear + 0.15 * near + 0.75 * beside,
        "mouth": mouth_line(x) + to_ear,
        "lower lip": mouth_line(x) - lower_lip_height(x) + to_ear - 0.15 * near - 0.75 * beside,
        "chin": -8.1 + 1.5 * to_ear,
        "jaw": -10.0 + 1.9 * to_ear,
    }
    return np.asarray(heights[mark])


def _eye_x(columns: Array) -> Array:
    """Return where across the left eye each column's lid edge lies, by its part of the columns."""
    front = np.abs(columns)
    inner, outer = (np.sort(np.unique(front.round(9)))[column] for column in EYE_COLUMNS)
    weight = (front - inner) / (outer - inner)
    return np.asarray(EYE_INNER_X + (EYE_OUTER_X - EYE_INNER_X) * weight)


def _lay_lid(row: Array, which: int) -> None:
    """Put a lid's edge exactly on the ball that lids slide on."""
    middle = len(row) // 2
    for sign in (1, -1):
        between = middle + sign * np.arange(EYE_COLUMNS[0], EYE_COLUMNS[1] + 1)
        x = np.linspace(EYE_INNER_X, EYE_OUTER_X, len(between))
        y = lid_lines(x)[which]
        depth = LID_RADIUS**2 - (x - EYE[0]) ** 2 - (y - EYE[1]) ** 2
        row[between] = np.stack([sign * x, y, EYE[2] + np.sqrt(depth)], axis=1)


def _fold_lid(points: Array, crease: int, columns: Array) -> None:
    """Press the fold of the upper lid in, and let the skin above hang over it a little."""
    beside = np.degrees(np.abs(columns))
    weight = smoothstep(beside, 11.0, 17.0) * smoothstep(beside, 39.0, 31.0)
    points[crease, :, 2] -= 0.13 * weight
    points[crease - 1, :, 2] += 0.05 * weight
    points[crease - 1, :, 1] -= 0.06 * weight


def _neck(start: Array, columns: Array) -> Array:
    """Return the rows below the jaw: rays that sink from the skull's middle to the neck's end."""
    weight = np.linspace(0, 1, ROWS[-1][1] + 1)[1:, None]
    origins = MIDDLE + (NECK_END - MIDDLE) * smoothstep(weight, -0.15, 1.0)[:, :, None]
    origins = np.broadcast_to(origins, (len(weight), len(columns), 3))
    return _cast(origins, start * (1 - smoothstep(weight, 0.0, 1.0)), columns)
