"""The first visible surface of a posed head, by rays against all triangles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cstalk_bridge.heads.mesh import Head, Part

    Array = NDArray[np.float64]


_MISS = 1e9


def posed(part: Part, weights: Mapping[str, float]) -> Array:
    """Return a part's vertices in metres under these weights, [vertices, 3]."""
    at = part.positions.astype(np.float64) + part.pivot
    for name, weight in weights.items():
        if name in part.shapes:
            at = at + weight * part.shapes[name].positions
    return at


def seen(
    head: Head, weights: Mapping[str, float], points: Array, towards: tuple[float, float, float]
) -> tuple[list[str], list[bool]]:
    """Look along the axis `towards` through `points` [rays, 3] outside the head.

    Returns for each ray the name of the part that it meets first ("" for none), and whether that
    surface faces the camera.
    """
    names: list[str] = []
    together = []
    for part in head.parts:
        names += [part.name] * len(part.triangles)
        together.append(posed(part, weights)[part.triangles])
    corners = np.concatenate(together)
    direction = np.array(towards, dtype=np.float64)
    flat = np.flatnonzero(direction == 0)
    low, high = corners.min(axis=1)[:, flat], corners.max(axis=1)[:, flat]
    first, facing = [], []
    for point in points:
        near = np.flatnonzero(((low <= point[flat]) & (point[flat] <= high)).all(axis=1))
        distance, slope = _reach(corners[near], point, direction)
        nearest = int(distance.argmin()) if len(near) else 0
        met = bool(len(near) and distance[nearest] < _MISS)
        first.append(names[near[nearest]] if met else "")
        facing.append(not met or bool(slope[nearest] < 0))
    return first, facing


def _reach(corners: Array, point: Array, direction: Array) -> tuple[Array, Array]:
    """Return how far triangles [triangles, 3, 3] lie along the ray, and how they turn to it."""
    a, b, c = corners.transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    slope = normal @ direction
    slope = np.where(np.abs(slope) < 1e-15, 1e-15, slope)
    reach = np.einsum("ij,ij->i", a - point, normal) / slope
    hit = point + reach[:, None] * direction
    inside = reach > 0
    for start, end in ((a, b), (b, c), (c, a)):
        inside &= np.einsum("ij,ij->i", np.cross(end - start, hit - start), normal) >= 0
    return np.where(inside, reach, _MISS), slope


def window(x: tuple[float, float], y: tuple[float, float], z: float, count: int) -> Array:
    """Return `count` x `count` points of a window before the face, [points, 3] in metres."""
    across, up = np.meshgrid(np.linspace(*x, count), np.linspace(*y, count))
    return np.stack([across.ravel(), up.ravel(), np.full(count * count, z)], axis=1)
