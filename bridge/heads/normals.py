"""The normals of a smooth mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def vertex_normals(
    positions: NDArray[np.floating[Any]], triangles: NDArray[np.integer[Any]]
) -> NDArray[np.float32]:
    """Return unit normals, float32 [vertices, 3]: the mean of the faces around, by their area.

    `positions` are [vertices, 3], `triangles` [triangles, 3] counter-clockwise from outside. A
    vertex without an area looks along +Z.
    """
    corners = positions.astype(np.float64)[triangles]
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.zeros((len(positions), 3))
    for axis in range(3):
        weights = np.repeat(areas[:, axis], 3)
        sums[:, axis] = np.bincount(triangles.ravel(), weights, len(positions))
    lengths = np.linalg.norm(sums, axis=1)
    sums[lengths == 0.0] = [0.0, 0.0, 1.0]
    unit = sums / np.where(lengths == 0.0, 1.0, lengths)[:, None]
    return unit.astype(np.float32)
