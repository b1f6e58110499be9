"""Meshes in Wavefront OBJ: points, and faces under the name which stands before them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from bridge.heads.importing.source import numbers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Obj:
    """`points` are float64 [points, 3]; `triangles` int64 [triangles, 3] by name."""

    points: NDArray[np.float64]
    triangles: dict[str, NDArray[np.int64]]

    def named(self, names: Iterable[str]) -> NDArray[np.int64]:
        """Return the triangles under some names; ValueError lists the names which are missing."""
        names = list(names)
        if missing := [name for name in names if name not in self.triangles]:
            raise ValueError(f"no faces under {', '.join(missing)}")
        return np.concatenate([self.triangles[name] for name in names])


def parse_points(content: bytes) -> NDArray[np.float64]:
    """Return the points of a file, float64 [points, 3]; ValueError for what is no number."""
    lines = content.split(b"\nvt ", 1)[0].splitlines()
    return numbers((line[2:] for line in lines if line.startswith(b"v ")), 3)


def parse_obj(content: bytes, naming: str) -> Obj:
    """Return a mesh; `naming` is what tells faces apart, `usemtl` (materials) or `g` (groups).

    A face of more than three corners becomes a fan. ValueError for what is not as it should be.
    """
    points = parse_points(content)
    keyword = f"{naming} ".encode()
    name = ""
    corners: dict[str, list[int]] = {}
    for line in content.splitlines():
        if line.startswith(b"f "):
            face = [int(corner.split(b"/", 1)[0]) - 1 for corner in line[2:].split()]
            flat = corners.setdefault(name, [])
            for second, third in pairwise(face[1:]):
                flat += (face[0], second, third)
        elif line.startswith(keyword):
            name = line[len(keyword) :].strip().decode("utf-8", "replace")
    triangles = {each: np.array(flat, np.int64).reshape(-1, 3) for each, flat in corners.items()}
    for each, group in triangles.items():
        if group.size and not 0 <= group.min() <= group.max() < len(points):
            raise ValueError(f"a face of `{each[:60]}` is not of the {len(points)} points")
    return Obj(points, triangles)
