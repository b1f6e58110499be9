"""A take as an animation of a head's GLB file: weights of its meshes, rotations of its nodes.

The head's own file is kept as it is, its animations included; behind its binary data come the
times and, one after the other, the keys of each track. As section 3.11 of the glTF 2.0
specification wants it, the weights of all targets of a mesh stand side by side in a key. Shapes
that no curve moves stay 0.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cstalk_bridge.heads.arkit import arkit_names, product, rotation_of, turning_curves
from cstalk_bridge.heads.glb import glb_chunks
from cstalk_bridge.heads.library import chosen_head
from cstalk_bridge.heads.nodes import parent_axes, turned_nodes
from cstalk_bridge.heads.reading import open_arkit_head
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.takes.export.curves import open_curve_sequence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cstalk_bridge.heads.gltf import Gltf
    from cstalk_bridge.heads.reading import HeadFile
    from cstalk_bridge.takes.export.curves import CurveSequence, ExportConfig
    from cstalk_bridge.takes.take import Take

    Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class WeightTrack:
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
class RotationTrack:
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
        turn = rotation_of(self.role, curves)
        turn[:, :3] = turn[:, :3] @ self.axes
        return product(turn, self.rest).astype(np.float32)


Track = WeightTrack | RotationTrack


def animation_tracks(head: HeadFile, moved: NDArray[np.bool_]) -> list[Track]:
    """Return the tracks of an animation; `moved` marks the curves that are ever other than 0.

    Meshes have their weights in any case. A node that stands by a matrix is left out: glTF does not
    let it be animated.
    """
    return [*_weight_tracks(head), *_rotation_tracks(head.gltf, moved)]


def _weight_tracks(head: HeadFile) -> Iterator[WeightTrack]:
    places = {name: place for place, name in enumerate(arkit_names())}
    for mesh, names in head.shapes.targets.items():
        nodes = tuple(i for i, node in enumerate(head.gltf.nodes) if node.mesh == mesh)
        columns = np.array([-1 if name is None else places[name] for name in names])
        if nodes and (columns >= 0).any():
            yield WeightTrack(nodes, columns)


def _rotation_tracks(gltf: Gltf, moved: NDArray[np.bool_]) -> Iterator[RotationTrack]:
    for role, index in turned_nodes(gltf).items():
        node = gltf.nodes[index]
        if node.matrix is not None or not moved[turning_curves(role)].any():
            continue
        rest = np.array(node.rotation)
        rest = rest / (float(np.linalg.norm(rest)) or 1.0)
        yield RotationTrack((index,), role, rest, parent_axes(gltf, index))


GL_FLOAT: Final = 5126
FLOAT_BYTES: Final = 4
TIMES_AT_ONCE: Final = 65536
"""Times that are made at once."""


def write_glb_animation(take: Take, settings: ExportConfig) -> Iterator[bytes]:
    """Yield the head's file with the take in it, piece by piece.

    UserError where the head cannot be used, or the file would be longer than GLB allows.
    """
    head = open_arkit_head(chosen_head(settings.head))
    with open_curve_sequence(take, settings) as sequence:
        animation = _Animation(head, sequence, animation_tracks(head, sequence.moved))
        try:
            yield from glb_chunks(
                animation.document(take.name), animation.pieces(), animation.binary_bytes
            )
        except OverflowError as error:
            remedy = "choose a lower frame rate, or cut the take"
            raise UserError(Problem(take.name, str(error), remedy)) from None


@dataclass(frozen=True, slots=True)
class _Animation:
    """A head, and what is added to it."""

    head: HeadFile
    sequence: CurveSequence
    tracks: list[Track]

    @property
    def start(self) -> int:
        """Where the times begin in the binary chunk."""
        return -(-len(self.head.glb.binary) // FLOAT_BYTES) * FLOAT_BYTES

    @property
    def binary_bytes(self) -> int:
        """Length of the binary chunk."""
        numbers = 1 + sum(track.width for track in self.tracks)
        return self.start + numbers * self.sequence.rows * FLOAT_BYTES

    def pieces(self) -> Iterator[bytes]:
        """Yield the binary chunk."""
        binary = self.head.glb.binary
        yield binary
        yield bytes(self.start - len(binary))
        for first in range(0, self.sequence.rows, TIMES_AT_ONCE):
            yield self._times(first, min(first + TIMES_AT_ONCE, self.sequence.rows))
        for track in self.tracks:
            for curves in self.sequence.blocks():
                yield track.keys(curves).astype("<f4").tobytes()

    def document(self, name: str) -> dict[str, Any]:
        """Return the head's document with the animation of that name added to it."""
        document = copy.deepcopy(self.head.glb.document)
        buffer = (document.get("buffers") or [{}])[0]
        document["buffers"] = [{**buffer, "byteLength": self.binary_bytes}]
        if not self.sequence.rows:
            return document
        views = document.setdefault("bufferViews", [])
        accessors = document.setdefault("accessors", [])
        offset = self.start

        def added(kind: str, width: int, **bounds: list[float]) -> int:
            nonlocal offset
            size = self.sequence.rows * width * FLOAT_BYTES
            views.append({"buffer": 0, "byteOffset": offset, "byteLength": size})
            offset += size
            count = self.sequence.rows * (width if kind == "SCALAR" else 1)
            layout = {"componentType": GL_FLOAT, "count": count, "type": kind}
            accessors.append({"bufferView": len(views) - 1, **layout, **bounds})
            return len(accessors) - 1

        last = np.frombuffer(self._times(self.sequence.rows - 1, self.sequence.rows), "<f4")
        times = added("SCALAR", 1, min=[0.0], max=[float(last[0])])
        samplers = [
            {"input": times, "output": added(track.type, track.width)} for track in self.tracks
        ]
        channels = [
            {"sampler": sampler, "target": {"node": node, "path": track.path}}
            for sampler, track in enumerate(self.tracks)
            for node in track.nodes
        ]
        animation = {"name": name, "samplers": samplers, "channels": channels}
        document.setdefault("animations", []).append(animation)
        return document

    def _times(self, first: int, end: int) -> bytes:
        times: bytes = (np.arange(first, end) / self.sequence.rate.hz).astype("<f4").tobytes()
        return times
