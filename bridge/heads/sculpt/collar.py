"""The collar at the foot of the neck."""

from __future__ import annotations

import numpy as np

from bridge.heads import palette
from bridge.heads.sculpt.clay import Clay, strip
from bridge.heads.sculpt.landmarks import smooth

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


def build_collar() -> Clay:
    """Return the collar which closes the neck below."""
    around = 40
    turn = np.linspace(-np.pi, np.pi, around, endpoint=False)
    rows = []
    for height, radius in _SECTION:
        wide = radius * (1 + 0.28 * smooth(np.array([-height]), 13.5, 16.0))
        low = 0.55 * np.cos(turn) * (height > -14)
        z = -2.6 - 0.10 * (height + 13) + radius * 0.98 * np.cos(turn)
        rows.append(np.stack([wide * np.sin(turn), height - low, z], axis=1))
    at = np.concatenate(rows)
    numbers = np.arange(len(at)).reshape(-1, around)
    inside = np.repeat(np.arange(len(_SECTION)) == 0, around)[:, None]
    colours = np.where(inside, palette.CLOTH_DARK, palette.CLOTH)
    return Clay.of(at, strip(list(numbers), ring=True), colours)
