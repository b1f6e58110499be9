"""A piece of the head while it is sculpted: points, triangles and what shapes need to know."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bridge.heads.sculpt.landmarks import Array

    Triangles = NDArray[np.int32]
    Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Clay:
    """Points in centimetres, [points, 3], with their colours in linear RGB and their triangles.

    `anchor` [points, 3] is where the formulas of shapes are read: a point inside the lip moves like
    the edge it hangs on. `follow` [points] is how much of them it takes. `jaw` [points] is how much
    of the jaw's motion. `lid` [points] is 1 at the edge of an upper lid, -1 at that of a lower one
    and 0 away from lids; `aperture` [points] is the angle in radians by which the lids stand open
    at that place.
    """

    at: Array
    triangles: Triangles
    colours: Array
    anchor: Array
    follow: Array
    jaw: Array
    lid: Array
    aperture: Array

    @classmethod
    def of(
        cls,
        at: Array,
        triangles: Triangles,
        colours: Array,
        *,
        follow: float = 0.0,
        jaw: float = 0.0,
    ) -> Clay:
        """Return a piece without lids; `colours` is [points, 3] or one colour."""
        count = len(at)
        nothing = np.zeros(count)
        return cls(
            at=at,
            triangles=triangles,
            colours=np.broadcast_to(colours, (count, 3)).astype(np.float64),
            anchor=at,
            follow=nothing + follow,
            jaw=nothing + jaw,
            lid=nothing,
            aperture=nothing,
        )

    def mirrored(self) -> Clay:
        """Return the piece for the other side."""
        over = np.array([-1.0, 1.0, 1.0])
        return replace(
            self,
            at=self.at * over,
            anchor=self.anchor * over,
            triangles=np.ascontiguousarray(self.triangles[:, ::-1]),
        )


def joined(pieces: Sequence[Clay]) -> Clay:
    """Return pieces as one, without welding them."""
    starts = np.cumsum([0, *(len(piece.at) for piece in pieces[:-1])])
    together = {
        name: np.concatenate([getattr(piece, name) for piece in pieces])
        for name in ("at", "colours", "anchor", "follow", "jaw", "lid", "aperture")
    }
    shifted = [piece.triangles + start for piece, start in zip(pieces, starts, strict=True)]
    return Clay(triangles=np.concatenate(shifted).astype(np.int32), **together)


def strip(rows: Sequence[Indices], *, ring: bool = False) -> Triangles:
    """Return the triangles between rows of point numbers, [triangles, 3].

    They face a viewer who sees the first row above the second and the columns run rightwards. A
    `ring` closes from the last column to the first. Corners which coincide give no triangle.
    """
    grid = np.asarray(rows)
    if ring:
        grid = np.concatenate([grid, grid[:, :1]], axis=1)
    a, b = grid[:-1, :-1], grid[1:, :-1]
    c, d = grid[1:, 1:], grid[:-1, 1:]
    one = np.stack([a, b, c], axis=-1).reshape(-1, 3)
    other = np.stack([a, c, d], axis=-1).reshape(-1, 3)
    triangles = np.concatenate([one, other])
    i, j, k = triangles.T
    return triangles[(i != j) & (j != k) & (k != i)].astype(np.int32)


def normals(at: Array, triangles: Triangles) -> Array:
    """Return unit normals at the points, weighted by the triangles' areas, [points, 3]."""
    corners = at[triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros_like(at)
    for corner in range(3):
        for axis in range(3):
            total[:, axis] += np.bincount(triangles[:, corner], faces[:, axis], len(at))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(total / np.maximum(length, 1e-12))
