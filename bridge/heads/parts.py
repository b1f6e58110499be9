"""The meshes of a GLB or VRM file as the parts of a head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bridge.heads.accessors import Accessors
from bridge.heads.glb_writer import ROOT
from bridge.heads.gltf import Material, item, shown
from bridge.heads.mesh import EYES, Head, Part, Shape
from bridge.heads.nodes import front_matrix, turned_nodes, world_matrices
from bridge.heads.normals import vertex_normals
from bridge.heads.reading import damaged, open_arkit_head

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from bridge.heads.gltf import Gltf, Primitive
    from bridge.heads.reading import HeadFile

    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]

_TRIANGLES = 4


def read_head(path: Path) -> Head:
    """Return the meshes of a file in metres, its face along +Z and the neck's joint at 0, 0, 0.

    The joint is the node that the head pose turns; without one it is the file's own origin. Skinned
    meshes stand as they were bound. Textures are left out: a vertex has the colour of its material.
    UserError as of `open_arkit_head`, and where a mesh is damaged.
    """
    file = open_arkit_head(path)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            parts = tuple(_parts(file))
    except ValueError as error:
        raise damaged(path, error) from None
    return Head(path.stem, parts, file.gltf.asset.copyright)


def _parts(file: HeadFile) -> Iterator[Part]:
    gltf = file.gltf
    places = world_matrices(gltf)
    turned = turned_nodes(gltf)
    origin = places[turned[ROOT]][:3, 3] if ROOT in turned else np.zeros(3)
    eyes = {turned[eye]: eye for eye in EYES if eye in turned}
    accessors = Accessors(gltf, file.glb.binary)
    for index, node in enumerate(gltf.nodes):
        if node.mesh is None:
            continue
        mesh = item(gltf.meshes, node.mesh, "mesh")
        names = file.shapes.targets.get(node.mesh, ())
        matrix = places[index] if node.skin is None else front_matrix(gltf)
        eye = eyes.get(index) if node.skin is None else None
        solid = [part for part in mesh.primitives if part.mode == _TRIANGLES]
        for number, primitive in enumerate(solid, start=1):
            name = node.name or mesh.name or "mesh"
            name = eye or (f"{name}_{number}" if len(solid) > 1 else name)
            shift = matrix[:3, 3] - origin
            reading = _Reading(gltf, accessors, primitive, _Turn(matrix[:3, :3]))
            yield reading.part(name, names, shift, is_eye=eye is not None)


@dataclass(frozen=True, slots=True)
class _Turn:
    """The rotation and scale of a mesh in its head; `matrix` is [3, 3]."""

    matrix: Doubles

    def points(self, points: Floats) -> Doubles:
        """Carry positions or differences of positions, [vertices, 3]."""
        return points @ self.matrix.T

    def normals(self, normals: Floats) -> Doubles:
        """Carry normals or differences of them; a uniform scale leaves their length."""
        first, second, third = self.matrix
        cofactor = np.stack(
            [np.cross(second, third), np.cross(third, first), np.cross(first, second)]
        )
        size = float(np.cbrt(np.linalg.det(cofactor)))
        turned = normals @ (cofactor / max(size, 1e-12)).T
        return -turned if self.mirrors else turned

    @property
    def mirrors(self) -> bool:
        """Whether left and right change, so that triangles turn inside out."""
        return bool(np.linalg.det(self.matrix) < 0)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One primitive on its way to a part."""

    gltf: Gltf
    accessors: Accessors
    primitive: Primitive
    turn: _Turn

    def part(
        self, name: str, names: tuple[str | None, ...], shift: Doubles, *, is_eye: bool
    ) -> Part:
        """Return the part; `names` are those of its targets, `shift` its place in the head [3]."""
        if "POSITION" not in self.primitive.attributes:
            raise ValueError(f"mesh `{shown(name)}` has no positions")
        points = self.accessors.floats(self.primitive.attributes["POSITION"], 3)
        triangles = self._triangles(len(points))
        pivot = shift if is_eye else np.zeros(3)
        carried = _finite(self.turn.points(points) + (shift - pivot))
        surface = self._material().pbrMetallicRoughness
        return Part(
            name=name,
            positions=carried,
            normals=self._normals(carried, triangles),
            triangles=triangles,
            colours=self._colours(len(points), surface.baseColorFactor[:3]),
            shapes=dict(self._shapes(len(points), names)),
            pivot=(float(pivot[0]), float(pivot[1]), float(pivot[2])),
            roughness=surface.roughnessFactor,
        )

    def _triangles(self, vertices: int) -> NDArray[np.int32]:
        index = self.primitive.indices
        flat = np.arange(vertices) if index is None else self.accessors.indices(index, vertices)
        triangles = flat[: len(flat) // 3 * 3].reshape(-1, 3).astype(np.int32)
        return triangles[:, ::-1] if self.turn.mirrors else triangles

    def _normals(self, points: Floats, triangles: NDArray[np.int32]) -> Floats:
        index = self.primitive.attributes.get("NORMAL")
        if index is None:
            return vertex_normals(points, triangles)
        normals = self.turn.normals(self._attribute(index, 3, len(points)))
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        return _finite(normals / np.maximum(lengths, 1e-12))

    def _colours(self, vertices: int, factor: tuple[float, ...]) -> Floats:
        tint = np.array(factor, np.float32)
        index = self.primitive.attributes.get("COLOR_0")
        if index is None:
            return np.tile(np.clip(tint, 0.0, 1.0), (vertices, 1))
        width = self.accessors.width(index)
        if width < len(factor):
            raise ValueError(f"a colour has {width} numbers instead of 3 or 4")
        colours: Floats = self._attribute(index, width, vertices)[:, :3] * tint
        return np.clip(colours, 0.0, 1.0)

    def _shapes(self, vertices: int, names: tuple[str | None, ...]) -> Iterator[tuple[str, Shape]]:
        for name, target in zip(names, self.primitive.targets, strict=True):
            if name is None:
                continue
            points = normals = np.zeros((vertices, 3), np.float32)
            if "POSITION" in target:
                delta = self._attribute(target["POSITION"], 3, vertices)
                points = _finite(self.turn.points(delta))
            if "NORMAL" in target:
                delta = self._attribute(target["NORMAL"], 3, vertices)
                normals = _finite(self.turn.normals(delta))
            if points.any() or normals.any():
                yield name, Shape(points, normals)

    def _attribute(self, index: int, width: int, vertices: int) -> Floats:
        values = self.accessors.floats(index, width)
        if len(values) != vertices:
            raise ValueError(f"an attribute of {len(values)} elements for {vertices} vertices")
        return values

    def _material(self) -> Material:
        index = self.primitive.material
        return Material() if index is None else item(self.gltf.materials, index, "material")


def _finite(values: Doubles) -> Floats:
    single = values.astype(np.float32)
    if not np.isfinite(single).all():
        raise ValueError("a node's place or scale is too large")
    return single
