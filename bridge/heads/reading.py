"""Finds and reads heads: the bundled one and a user's GLB or VRM files, checked and with their
shapes found.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.heads.glb import ROOT, Glb, read_glb
from cstalk_bridge.heads.gltf import (
    Accessors,
    Gltf,
    Material,
    expressions,
    front_matrix,
    item,
    parse_gltf,
    refuse_compression,
    shown,
    turned_nodes,
    world_matrices,
)
from cstalk_bridge.heads.mesh import (
    EYES,
    Head,
    Part,
    Shape,
    arkit_name,
    arkit_names,
    missing_names,
    vertex_normals,
)
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.system.files import is_file, is_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from cstalk_bridge.heads.gltf import Mesh, Primitive

    Floats = NDArray[np.float32]

    Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shapes:
    """What of a file can be moved.

    `targets` has, by mesh, the ARKit name of each morph target or None. `unknown` are the names of
    the targets that no curve moves, `expressions` those of a VRM file.
    """

    targets: dict[int, tuple[str | None, ...]]
    unknown: tuple[str, ...]
    expressions: tuple[str, ...]

    @property
    def found(self) -> tuple[str, ...]:
        """The ARKit names which move something, in their order."""
        names = {name for targets in self.targets.values() for name in targets}
        return tuple(name for name in arkit_names() if name in names)

    @property
    def missing(self) -> tuple[str, ...]:
        """The ARKit names which move nothing, in their order."""
        return missing_names(self.found)


@dataclass(frozen=True, slots=True, eq=False)
class HeadFile:
    """A file that can be shown: its content, what is read of it, and its shapes."""

    path: Path
    glb: Glb
    gltf: Gltf
    shapes: Shapes


def open_head(path: Path) -> HeadFile:
    """Open a file whose meshes can be moved: by ARKit names, or by a VRM's expressions.

    UserError where it is no GLB or VRM, too large, compressed, or nothing in it can be moved.
    """
    glb = read_glb(path)
    try:
        gltf = parse_gltf(glb.document)
        refuse_compression(gltf, str(path))
        if any(buffer.uri is not None for buffer in gltf.buffers) or len(gltf.buffers) > 1:
            raise ValueError("some of its data lies outside of the file")  # noqa: TRY301
        world_matrices(gltf)
        turned_nodes(gltf)
        shapes = find_shapes(gltf)
    except ValueError as error:
        raise damaged_head(path, error) from None
    if not shapes.found and not shapes.expressions:
        raise UserError(_no_shapes(path, shapes))
    return HeadFile(path, glb, gltf, shapes)


def open_arkit_head(path: Path) -> HeadFile:
    """Open a file as `open_head` does; UserError also where ARKit names move nothing in it."""
    file = open_head(path)
    if not file.shapes.found:
        raise UserError(_no_shapes(path, file.shapes))
    return file


def find_shapes(gltf: Gltf) -> Shapes:
    """Return what can be moved, by the names of morph targets and of VRM expressions.

    Of two targets of one mesh with the same ARKit name the first counts. ValueError where an
    expression or a list of names does not fit its mesh.
    """
    faces = expressions(gltf)
    bound = {bind: name for face in faces if (name := arkit_name(face.name)) for bind in face.binds}
    targets: dict[int, tuple[str | None, ...]] = {}
    unknown: dict[str, None] = {}
    for index, mesh in enumerate(gltf.meshes):
        names: list[str | None] = []
        for target, text in enumerate(_target_names(mesh)):
            name = arkit_name(text) or bound.get((index, target))
            if name is None:
                unknown[shown(text)] = None
            names.append(None if name in names else name)
        if names:
            targets[index] = tuple(names)
    return Shapes(
        targets, tuple(filter(None, unknown)), tuple(face.name for face in faces if face.binds)
    )


def _target_names(mesh: Mesh) -> list[str]:
    """Return the name of each target, an empty one where the file gives none."""
    if not mesh.primitives:
        return []
    first = mesh.primitives[0]
    if any(len(primitive.targets) != len(first.targets) for primitive in mesh.primitives):
        raise ValueError(f"the primitives of mesh `{shown(mesh.name)}` differ in their targets")
    for extras in (mesh.extras, first.extras):
        names = extras.get("targetNames") if isinstance(extras, dict) else None
        if isinstance(names, list):
            texts = [name if isinstance(name, str) else "" for name in names]
            return (texts + [""] * len(first.targets))[: len(first.targets)]
    return [""] * len(first.targets)


def damaged_head(path: Path, error: ValueError) -> UserError:
    """Return the error of a file with invalid content."""
    return UserError(Problem(str(path), f"cannot be used: {error}", "export it again"))


def _no_shapes(path: Path, shapes: Shapes) -> Problem:
    if shapes.expressions:
        what = f"has VRM expressions ({', '.join(shapes.expressions[:8])}) but no ARKit shapes"
    elif shapes.unknown:
        some = ", ".join(f"`{name}`" for name in shapes.unknown[:4])
        what = f"none of its {len(shapes.unknown)} morph targets has an ARKit name: {some}"
    elif shapes.targets:
        what = "its morph targets have no names"
    else:
        what = "no morph targets, so nothing in it can move"
    remedy = "export it with the 52 ARKit shapes (eyeBlinkLeft, jawOpen, ...), names included"
    return Problem(str(path), what, remedy)


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
        raise damaged_head(path, error) from None
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


OWN_HEAD = Path(__file__).with_name("head.glb")
"""The head that comes with the program."""
OWN_ID = "own"
SUFFIXES = (".glb", ".vrm")
MAX_HEADS = 64
"""Heads which are listed; of more in the folder the first by name are taken."""
_APPLICATION = "cstalk-bridge"


@dataclass(frozen=True, slots=True)
class ListedHead:
    """A head to choose; `id` has letters, digits and `-` only, so that it fits a URL."""

    id: str
    name: str
    path: Path


def heads_folder(
    env: Mapping[str, str] | None = None, platform: str = sys.platform, home: Path | None = None
) -> Path:
    """Return the folder of the user's own heads, whether it is there or not.

    Below the data folder of the system: `%APPDATA%` on Windows, `~/Library/Application Support` on
    macOS, else `$XDG_DATA_HOME` or `~/.local/share`.
    """
    env = os.environ if env is None else env
    home = home or Path.home()
    if platform == "win32":
        data = Path(env.get("APPDATA") or home / "AppData" / "Roaming")
    elif platform == "darwin":
        data = home / "Library" / "Application Support"
    else:
        data = Path(env.get("XDG_DATA_HOME") or home / ".local" / "share")
    return data / _APPLICATION / "heads"


def list_heads(named: Path | None = None, folder: Path | None = None) -> tuple[ListedHead, ...]:
    """Return the heads to choose, the preferred first: the named one, the user's, our own.

    `folder` is that of the user's heads, by default `heads_folder()`. Nothing is opened:
    `cstalk_bridge.heads.reading.open_head` checks whether a file can be shown.
    """
    folder = heads_folder() if folder is None else folder
    paths = [named] if named else []
    if is_folder(folder):
        files = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
        found = (path for path in files if is_file(path))
        paths += sorted(found, key=lambda path: (path.name.casefold(), path.name))
    own = ListedHead(OWN_ID, "CSTalk", OWN_HEAD)
    return (*_listed(paths[: MAX_HEADS - 1]), own)


def chosen_head(named: Path | None) -> Path:
    """Return the file of a named head, by default of our own; UserError where there is none."""
    path = OWN_HEAD if named is None else named
    if not is_file(path):
        raise UserError(Problem(str(path), "no such head", "name a .glb or .vrm file"))
    return path


def _listed(paths: Iterable[Path]) -> list[ListedHead]:
    heads: dict[str, ListedHead] = {}
    for path in dict.fromkeys(paths):
        plain = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "head"
        free = (f"{plain}-{n}" if n > 1 else plain for n in range(1, MAX_HEADS + 2))
        unused = next(name for name in free if name not in heads and name != OWN_ID)
        heads[unused] = ListedHead(unused, path.stem, path)
    return list(heads.values())
