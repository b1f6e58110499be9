"""A mesh of the head while it is sculpted: points, triangles, colours, and what shapes need to
know of each point.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.heads.mesh import Array


if TYPE_CHECKING:
    Triangles = NDArray[np.int32]


if TYPE_CHECKING:
    Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
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
    ) -> Piece:
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

    def mirrored(self) -> Piece:
        """Return the piece for the other side."""
        over = np.array([-1.0, 1.0, 1.0])
        return replace(
            self,
            at=self.at * over,
            anchor=self.anchor * over,
            triangles=np.ascontiguousarray(self.triangles[:, ::-1]),
        )


def picked(piece: Piece, numbers: Indices, at: Array, colour: Array) -> Piece:
    """Return points at other places which move like those of the given numbers."""
    flat = numbers.reshape(-1)
    return replace(
        Piece.of(at.reshape(-1, 3), np.zeros((0, 3), np.int32), colour),
        anchor=piece.anchor[flat],
        follow=piece.follow[flat],
        jaw=piece.jaw[flat],
        lid=piece.lid[flat],
        aperture=piece.aperture[flat],
    )


def joined(pieces: Sequence[Piece]) -> Piece:
    """Return pieces as one, without welding them."""
    starts = np.cumsum([0, *(len(piece.at) for piece in pieces[:-1])])
    together = {
        name: np.concatenate([getattr(piece, name) for piece in pieces])
        for name in ("at", "colours", "anchor", "follow", "jaw", "lid", "aperture")
    }
    shifted = [piece.triangles + start for piece, start in zip(pieces, starts, strict=True)]
    return Piece(triangles=np.concatenate(shifted).astype(np.int32), **together)


def welded(piece: Piece) -> Piece:
    """Return the piece with points as one which stand, move and look alike; no unused ones."""
    by_point = [values[:, None] for values in (piece.lid, piece.follow, piece.jaw)]
    key = np.concatenate([piece.at, piece.anchor, piece.colours, *by_point], axis=1).round(5)
    _, first, back = np.unique(key, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    triangles = place[back.reshape(-1)][piece.triangles]
    i, j, k = triangles.T
    triangles = triangles[(i != j) & (j != k) & (k != i)]
    used = np.unique(triangles)
    packed = np.zeros(len(order), dtype=np.int32)
    packed[used] = np.arange(len(used))
    keep = first[order][used]
    names = ("at", "colours", "anchor", "follow", "jaw", "lid", "aperture")
    return Piece(
        triangles=packed[triangles], **{name: getattr(piece, name)[keep] for name in names}
    )


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
    return np.asarray(triangles[(i != j) & (j != k) & (k != i)], dtype=np.int32)


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
