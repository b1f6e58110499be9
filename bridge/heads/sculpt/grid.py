"""The lines of the skin's grid, drawn closer around eyes and mouth, and cut along both.

Columns are azimuths about the skull's middle, the same on both sides; rows follow landmarks, whose
heights differ from column to column.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from bridge.heads.sculpt import form
from bridge.heads.sculpt.landmarks import (
    EYE,
    EYE_INNER_X,
    EYE_OUTER_X,
    LID_RADIUS,
    MIDDLE,
    NECK_END,
    lid_lines,
    lower_lip_height,
    mouth_line,
    smooth,
    upper_lip_height,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bridge.heads.sculpt.landmarks import Array

    Indices = NDArray[np.intp]

COLUMNS = ((0.0, 0), (12.6, 7), (16.2, 3), (36.0, 11), (56.0, 5), (88.0, 5), (180.0, 8))
"""Azimuths in degrees of the left half's marked columns, and how many columns lead to each."""

_COUNTED = np.cumsum([count for _, count in COLUMNS])
EYE_COLUMNS, MOUTH_COLUMN = (int(_COUNTED[1]), int(_COUNTED[3])), int(_COUNTED[2])
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
    ("nose", 8),
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
        share = np.linspace(0, 1, count + 1)[1:, None]
        lines.append(above + (below - above) * share)
    elevations = np.concatenate(lines)
    face = _cast(np.broadcast_to(MIDDLE, (*elevations.shape, 3)), elevations, columns)
    points = np.concatenate([face, _neck(marks[-1], columns)])
    for which, mark in enumerate(("upper lid", "lower lid")):
        _lay_lid(points[rows[mark]], which)
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
    hits = form.skin(origins.reshape(-1, 3), directions.reshape(-1, 3))
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
    side = smooth(np.abs(columns), np.radians(30), np.radians(100))
    away = smooth(np.abs(columns), np.radians(34), np.radians(52))
    beside = smooth(np.abs(columns), np.radians(14), np.radians(36))
    near = smooth(np.abs(columns), np.radians(7), np.radians(17))
    to_ear = 1.6 * side
    eye = _eye_x(columns)
    upper, lower = lid_lines(eye)
    spread = np.exp(-(((np.abs(columns) - np.radians(24)) / np.radians(17)) ** 2))
    heights = {
        "hair": np.full_like(x, 8.6),
        "forehead": np.full_like(x, 5.6),
        "brow": 3.1 + 0.2 * spread - 0.2 * side,
        "crease": upper * (1 - away) + 0.9 * away + 0.25 + 0.40 * spread,
        "upper lid": upper * (1 - away) + 0.9 * away,
        "lower lid": lower * (1 - away) + 0.9 * away,
        "under eye": lower * (1 - away) + 0.9 * away - 0.9,
        "nose": -3.55 + 1.9 * side,
        "upper lip": mouth_line(x) + upper_lip_height(x) + to_ear + 0.15 * near + 0.75 * beside,
        "mouth": mouth_line(x) + to_ear,
        "lower lip": mouth_line(x) - lower_lip_height(x) + to_ear - 0.15 * near - 0.75 * beside,
        "chin": -8.1 + 1.5 * to_ear,
        "jaw": -10.0 + 1.9 * to_ear,
    }
    return np.asarray(heights[mark])


def _eye_x(columns: Array) -> Array:
    """Return where across the left eye each column's lid edge lies, by its share of the columns."""
    front = np.abs(columns)
    inner, outer = (np.sort(np.unique(front.round(9)))[column] for column in EYE_COLUMNS)
    share = (front - inner) / (outer - inner)
    return np.asarray(EYE_INNER_X + (EYE_OUTER_X - EYE_INNER_X) * share)


def _lay_lid(row: Array, which: int) -> None:
    """Put a lid's edge exactly on the ball that lids slide on."""
    middle = len(row) // 2
    for sign in (1, -1):
        between = middle + sign * np.arange(EYE_COLUMNS[0], EYE_COLUMNS[1] + 1)
        x = np.linspace(EYE_INNER_X, EYE_OUTER_X, len(between))
        y = lid_lines(x)[which]
        depth = LID_RADIUS**2 - (x - EYE[0]) ** 2 - (y - EYE[1]) ** 2
        row[between] = np.stack([sign * x, y, EYE[2] + np.sqrt(depth)], axis=1)


def _neck(start: Array, columns: Array) -> Array:
    """Return the rows below the jaw: rays that sink from the skull's middle to the neck's end."""
    share = np.linspace(0, 1, ROWS[-1][1] + 1)[1:, None]
    origins = MIDDLE + (NECK_END - MIDDLE) * smooth(share, -0.15, 1.0)[:, :, None]
    origins = np.broadcast_to(origins, (len(share), len(columns), 3))
    return _cast(origins, start * (1 - smooth(share, 0.0, 1.0)), columns)
