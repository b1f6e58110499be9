"""Where a shape acts: smooth shares of 0..1 which end within the radii they name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.heads.sculpt.landmarks import mouth_line, smooth

if TYPE_CHECKING:
    from bridge.heads.sculpt.clay import Clay
    from bridge.heads.sculpt.landmarks import Array


def spot(
    clay: Clay, centre: tuple[float, float, float], radii: tuple[float, float, float]
) -> Array:
    """Return 1 at `centre`, falling to 0 on the ellipsoid of `radii` around it, [points]."""
    local = (clay.anchor - np.asarray(centre)) / np.asarray(radii)
    return clay.follow * smooth(np.linalg.norm(local, axis=1), 1.0, 0.0)


def about_mouth(
    clay: Clay, across: float, above: float, below: float | None = None, *, full: float = 0.5
) -> Array:
    """Return 1 on the lips, falling to 0 on the radii `across` and `above` or `below` the line.

    It is 1 up to the share `full` of the radii.
    """
    height = lip_height(clay)
    reach = np.where(height > 0, above, above if below is None else below)
    near = np.hypot(clay.anchor[:, 0] / across, height / reach)
    front = smooth(clay.anchor[:, 2], 2.0, 5.0)
    return np.asarray(clay.follow * front * smooth(near, 1.0, full))


def lip_height(clay: Clay) -> Array:
    """Return how far points lie above the mouth line, in cm."""
    return np.asarray(clay.anchor[:, 1] - mouth_line(clay.anchor[:, 0]))


def left_half(clay: Clay, width: float = 0.7) -> Array:
    """Return 1 on the left, 0 on the right; over the middle it is even with its mirror image."""
    return smooth(clay.anchor[:, 0], -width, width)


def vector(share: Array, x: float | Array, y: float | Array, z: float | Array) -> Array:
    """Return a displacement of `share` times (x, y, z), [points, 3]."""
    return np.stack([share * x, share * y, share * z], axis=1)
