"""Teeth and tongue."""

from __future__ import annotations

import numpy as np

from bridge.heads import palette
from bridge.heads.sculpt.clay import Clay, strip

_TEETH, _COLUMNS_PER_TOOTH = 10, 4
_UPPER_EDGE_Y, _LOWER_EDGE_Y = -5.92, -5.84

_PROFILE = (
    (1.9, -0.55, palette.GUM),
    (1.45, -0.05, palette.GUM),
    (0.98, 0.06, palette.GUM),
    (0.90, -0.02, palette.TOOTH),
    (0.45, 0.08, palette.TOOTH),
    (0.08, 0.00, palette.TOOTH),
    (0.00, -0.10, palette.TOOTH),
    (0.04, -0.26, palette.TOOTH),
    (0.80, -0.45, palette.GUM),
)
"""A section through teeth: height over the biting edge, distance before the arch, colour."""


def build_teeth(*, upper: bool) -> Clay:
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
        tooth = colour is palette.TOOTH
        reach = before + bulge * tooth
        rise = height + (notch if height < 0.2 else -0.12 * phase * (height < 1))
        y = edge + sign * rise * (1.0 if upper else 0.92)
        rows.append(np.stack([x + out[0] * reach, y, z + out[1] * reach], axis=1))
        shade = np.where(tooth, 0.72 + 0.28 * phase[:, None] ** 0.4, 1.0)
        back = 1 - 0.45 * np.abs(across[:, None]) ** 3
        colours.append(colour * shade * back)
    numbers = np.arange(len(rows) * count).reshape(len(rows), count)
    triangles = strip(list(numbers if upper else numbers[::-1]))
    return Clay.of(
        np.concatenate(rows), triangles, np.concatenate(colours), jaw=0.0 if upper else 1.0
    )


def build_tongue() -> Clay:
    """Return the tongue, lying on the floor of the mouth; `follow` grows towards its tip."""
    around, along = 16, 12
    share = np.linspace(0, 1, along)
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)
    tip = np.sqrt(np.clip(1 - np.clip((share - 0.70) / 0.30, 0, 1) ** 2.6, 0, 1))
    width, height = (1.55 - 0.25 * share) * tip, (0.62 - 0.28 * share) * tip**0.7
    rise = -6.75 + 0.28 * np.sin(np.pi * share**0.8) - 0.05 * share
    side, up = np.sin(angle), np.cos(angle)
    groove = 0.16 * np.exp(-((side / 0.22) ** 2)) * (up > 0)
    x = width[:, None] * side
    y = rise[:, None] + height[:, None] * (up - groove)
    z = np.broadcast_to((2.6 + 4.35 * share)[:, None], x.shape)
    at = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    numbers = np.arange(len(at)).reshape(along, around)
    colours = palette.TONGUE * (0.15 + 0.75 * share**2)[:, None, None] + np.zeros(
        (along, around, 3)
    )
    tongue = Clay.of(at, strip(list(numbers), ring=True), colours.reshape(-1, 3), jaw=0.92)
    tongue.follow[:] = np.repeat(share, around)
    return tongue
