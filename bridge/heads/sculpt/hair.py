"""Hair, brows and ears."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.heads import palette
from bridge.heads.sculpt import form
from bridge.heads.sculpt.clay import Clay, strip
from bridge.heads.sculpt.landmarks import MIDDLE, bell, smooth

if TYPE_CHECKING:
    from bridge.heads.sculpt.landmarks import Array

_ROWS, _COLUMNS = 19, 76


def build_hair() -> Clay:
    """Return short hair as one thick cap with combed grooves, parted on the left."""
    azimuth = np.linspace(-np.pi, np.pi, _COLUMNS, endpoint=False)
    share = np.linspace(0, 1, _ROWS) ** 0.9
    end = _hairline(azimuth)
    elevation = np.radians(89.6) + (end - np.radians(89.6)) * share[:, None]
    turn = np.broadcast_to(azimuth, elevation.shape)
    directions = np.stack(
        [np.cos(elevation) * np.sin(turn), np.sin(elevation), np.cos(elevation) * np.cos(turn)], -1
    ).reshape(-1, 3)
    skin = form.skin(np.broadcast_to(MIDDLE, directions.shape), directions)
    thick, groove = _thickness(share[:, None], turn)
    at = skin + directions * thick.reshape(-1, 1)
    light = np.clip(0.35 + 0.65 * groove.reshape(-1, 1), 0, 1)
    colours = palette.HAIR + light * 0.75 * (palette.HAIR_LIGHT - palette.HAIR)
    numbers = np.arange(len(at)).reshape(_ROWS, _COLUMNS)
    return Clay.of(at, strip(list(numbers), ring=True), colours)


def _hairline(azimuth: Array) -> Array:
    """Return the elevation in radians at which hair ends, by azimuth."""
    side = np.degrees(np.abs(azimuth))
    knots = (0, 25, 42, 56, 66, 74, 81, 88, 100, 112, 122, 140, 180)
    ends = (49, 47, 40, 27, 14, 3, 4, 16, 19, 10, -22, -34, -37)
    return np.radians(np.interp(side, knots, ends) + 5.0 * bell(np.degrees(azimuth), 22.0, 22.0))


def _thickness(share: Array, turn: Array) -> tuple[Array, Array]:
    """Return how thick the hair is and how light its grooves are, -1..1."""
    side = np.degrees(turn)
    front = bell(side, -8.0, 75.0)
    volume = 0.8 + 0.75 * front * smooth(share, 0.2, 0.75) - 0.25 * smooth(np.abs(side), 60, 150)
    volume = volume + 0.5 * bell(side, -10.0, 110.0) * bell(share, 0.5, 0.5)
    parting = 0.5 * bell(side, 26.0, 11.0) * smooth(share, 0.15, 0.5)
    swirl = turn * 26 + 9 * share * np.sign(side - 26) + 1.6 * np.sin(3 * turn)
    groove = np.sin(swirl) * smooth(share, 0.05, 0.35)
    edge = np.sqrt(np.clip(1 - share**7, 0, 1))
    thick = (volume - parting + 0.07 * groove) * edge - 0.2 * share**8
    return thick, groove


def build_brow() -> Clay:
    """Return the left brow: a tapering ridge along the bone."""
    along = np.linspace(0, 1, 15)
    x = 1.25 + 3.75 * along
    y = 3.3 + 0.55 * np.sin(np.pi * along**1.2 * 0.78) - 0.25 * along
    half = 0.33 * (1 - along) ** 0.6 * smooth(along, -0.10, 0.14) + 0.05
    rows, heights = [], (1.0, 0.45, -0.45, -1.0)
    for height, lift in zip(heights, (-0.06, 0.17, 0.17, -0.06), strict=True):
        start = np.stack([0.6 * x, y + half * height, 2.0 + 0 * x], axis=1)
        ahead = np.stack([0.4 * x, 0 * x, 4.5 + 0 * x], axis=1)
        ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
        rows.append(form.skin(start, ahead) + lift * ahead)
    numbers = np.arange(4 * len(x)).reshape(4, -1)
    return Clay.of(np.concatenate(rows), strip(list(numbers)), palette.BROW, follow=1.0)


_EAR_PROFILE = ((0.0, -0.30), (0.25, -0.32), (0.45, -0.18), (0.6, 0.05), (0.72, 0.02), (0.86, 0.26),
                (0.97, 0.26), (1.05, 0.08), (0.95, -0.12), (0.6, -0.45), (0.35, -0.9))  # fmt: skip
"""A section from the middle of the ear over its rim to its back: share of radius, height in cm."""


def build_ear() -> Clay:
    """Return the left ear."""
    around = 22
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)
    lobe = smooth(-np.sin(angle), 0.2, 1.0)
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
    deep = smooth(np.repeat([height for _, height in _EAR_PROFILE], around), 0.15, -0.35)[:, None]
    colours = palette.SKIN + (0.3 + 0.5 * deep) * (palette.SHADE - palette.SKIN)
    return Clay.of(at, strip(list(numbers[::-1]), ring=True), colours)
