"""What a take moves in a head's file: the weights of its meshes, the rotations of its nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bridge.heads.motion import product, turn_of, turned_by
from bridge.heads.names import arkit_names
from bridge.heads.nodes import parent_axes, turned_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bridge.heads.gltf import Gltf
    from bridge.heads.reading import HeadFile

    Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """The weights of a mesh in some nodes: `columns` are places in the curves, -1 for none."""

    nodes: tuple[int, ...]
    columns: NDArray[np.intp]
    path = "weights"
    type = "SCALAR"

    @property
    def width(self) -> int:
        """Numbers of a key."""
        return len(self.columns)

    def keys(self, curves: Floats) -> Floats:
        """Return the keys of some rows of the 61 curves, float32 [time, targets]."""
        keys = curves[:, self.columns]
        keys[:, self.columns < 0] = 0.0
        return keys


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """The rotation of a node from its `rest`, x, y, z, w; `axes` [3, 3] are its parent's."""

    nodes: tuple[int, ...]
    role: str
    rest: NDArray[np.float64]
    axes: NDArray[np.float64]
    width = 4
    path = "rotation"
    type = "VEC4"

    def keys(self, curves: Floats) -> Floats:
        """Return the keys of some rows of the 61 curves, float32 [time, 4]."""
        turn = turn_of(self.role, curves)
        turn[:, :3] = turn[:, :3] @ self.axes
        return product(turn, self.rest).astype(np.float32)


Track = Weights | Turn


def tracks(head: HeadFile, moved: NDArray[np.bool_]) -> list[Track]:
    """Return what there is to move; `moved` tells which of the 61 curves are ever other than 0.

    Meshes have their weights in any case. A node that stands by a matrix is left out: glTF does not
    let it be animated.
    """
    return [*_weights(head), *_turns(head.gltf, moved)]


def _weights(head: HeadFile) -> Iterator[Weights]:
    places = {name: place for place, name in enumerate(arkit_names())}
    for mesh, names in head.shapes.targets.items():
        nodes = tuple(i for i, node in enumerate(head.gltf.nodes) if node.mesh == mesh)
        columns = np.array([-1 if name is None else places[name] for name in names])
        if nodes and (columns >= 0).any():
            yield Weights(nodes, columns)


def _turns(gltf: Gltf, moved: NDArray[np.bool_]) -> Iterator[Turn]:
    for role, index in turned_nodes(gltf).items():
        node = gltf.nodes[index]
        if node.matrix is not None or not moved[turned_by(role)].any():
            continue
        rest = np.array(node.rotation)
        rest = rest / (float(np.linalg.norm(rest)) or 1.0)
        yield Turn((index,), role, rest, parent_axes(gltf, index))
