"""A user's head, a GLB or VRM file: whether it can be shown, and which shapes it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.errors import Problem, UserError
from bridge.heads.accessors import refuse_compression
from bridge.heads.glb_file import Glb, read_glb
from bridge.heads.gltf import Gltf, parse_gltf, shown
from bridge.heads.names import arkit_name, arkit_names, missing_names
from bridge.heads.nodes import turned_nodes, world_matrices
from bridge.heads.vrm import expressions

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.heads.gltf import Mesh


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
        raise damaged(path, error) from None
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


def damaged(path: Path, error: ValueError) -> UserError:
    """Return what to say of a file whose content is not as it should be."""
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
