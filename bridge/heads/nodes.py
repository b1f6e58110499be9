"""The node tree of a GLB or VRM file: where its meshes stand, and which nodes turn with gaze and
head pose.

VRM adds expressions and bones to glTF, and in VRM 0 another front.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cstalk_bridge.heads.arkit import role_of
from cstalk_bridge.heads.glb import ROOT
from cstalk_bridge.heads.gltf import Index, Items, item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cstalk_bridge.heads.gltf import Gltf, Node

    Matrices = NDArray[np.float64]


_BONES = {"head": "head", "leftEye": "eyeLeft", "rightEye": "eyeRight"}


class Expression(NamedTuple):
    """A named face; `binds` are the mesh and the target of each shape in it."""

    name: str
    binds: tuple[tuple[int, int], ...]


class _VrmObject(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Bind(_VrmObject):
    mesh: Index | None = None
    node: Index | None = None
    index: Index


class _Group(_VrmObject):
    name: str = ""
    presetName: str = ""  # noqa: N815
    binds: tuple[_Bind, ...] = Items


class _Master(_VrmObject):
    blendShapeGroups: tuple[_Group, ...] = Items  # noqa: N815


class _Bone0(_VrmObject):
    bone: str
    node: Index


class _Humanoid0(_VrmObject):
    humanBones: tuple[_Bone0, ...] = Items  # noqa: N815


class _Vrm0(_VrmObject):
    blendShapeMaster: _Master = _Master()  # noqa: N815
    humanoid: _Humanoid0 = _Humanoid0()


class _Face(_VrmObject):
    morphTargetBinds: tuple[_Bind, ...] = Items  # noqa: N815


class _Expressions(_VrmObject):
    preset: dict[str, _Face] = Field(default_factory=dict)
    custom: dict[str, _Face] = Field(default_factory=dict)


class _Bone1(_VrmObject):
    node: Index


class _Humanoid1(_VrmObject):
    humanBones: dict[str, _Bone1] = Field(default_factory=dict)  # noqa: N815


class _Vrm1(_VrmObject):
    expressions: _Expressions = _Expressions()
    humanoid: _Humanoid1 = _Humanoid1()


def expressions(gltf: Gltf) -> tuple[Expression, ...]:
    """Return the expressions of a VRM file, none for another; ValueError for damaged ones."""
    return tuple(_expressions(gltf))


def role_bones(gltf: Gltf) -> dict[str, int]:
    """Return the nodes of a VRM's bones that turn: `head`, `eyeLeft` and `eyeRight`."""
    old, new = _read(gltf)
    bones = [(bone.bone, bone.node) for bone in old.humanoid.humanBones]
    bones += [(name, bone.node) for name, bone in new.humanoid.humanBones.items()]
    return {_BONES[name]: node for name, node in bones if name in _BONES}


def faces_backwards(gltf: Gltf) -> bool:
    """Return whether the face looks along -Z, as in VRM 0."""
    return "VRM" in gltf.extensions and "VRMC_vrm" not in gltf.extensions


def _read(gltf: Gltf) -> tuple[_Vrm0, _Vrm1]:
    try:
        old = _Vrm0.model_validate(gltf.extensions.get("VRM", {}))
        new = _Vrm1.model_validate(gltf.extensions.get("VRMC_vrm", {}))
    except ValidationError as error:
        raise ValueError(f"the VRM extension has {error.error_count()} faults") from None
    return old, new


def _expressions(gltf: Gltf) -> Iterator[Expression]:
    old, new = _read(gltf)
    for group in old.blendShapeMaster.blendShapeGroups:
        name = group.name or group.presetName
        binds = [(bind.mesh, bind.index) for bind in group.binds if bind.mesh is not None]
        yield Expression(name, tuple(binds))
    for name, face in {**new.expressions.preset, **new.expressions.custom}.items():
        targets = []
        for bind in face.morphTargetBinds:
            if bind.node is not None:
                mesh = item(gltf.nodes, bind.node, "node").mesh
                targets += [(mesh, bind.index)] if mesh is not None else []
        yield Expression(name, tuple(targets))


def world_matrices(gltf: Gltf) -> Matrices:
    """Return what carries each node's own space to the face's, float64 [nodes, 4, 4].

    The face looks along +Z, also that of a VRM 0 file, which looks along -Z itself. ValueError
    where a node has two parents, is its own ancestor, or stands beyond all numbers.
    """
    matrices = np.tile(np.eye(4), (len(gltf.nodes), 1, 1))
    parents = _parents(gltf)
    front = front_matrix(gltf)
    following = [(node, front) for node in range(len(gltf.nodes)) if node not in parents]
    reached = 0
    while following:
        index, above = following.pop()
        node = gltf.nodes[index]
        with np.errstate(over="ignore", invalid="ignore"):
            matrices[index] = above @ local_matrix(node)
        following += [(child, matrices[index]) for child in node.children]
        reached += 1
    if reached < len(gltf.nodes):
        raise ValueError(f"{len(gltf.nodes) - reached} nodes are their own ancestors")
    if not np.isfinite(matrices).all():
        raise ValueError("the place of a node is not finite")
    return matrices


def front_matrix(gltf: Gltf) -> Matrices:
    """Return what carries the file's space to the face's, float64 [4, 4]."""
    return np.diag([-1.0, 1.0, -1.0, 1.0]) if faces_backwards(gltf) else np.eye(4)


def local_matrix(node: Node) -> Matrices:
    """Return what carries a node's own space to its parent's, float64 [4, 4]."""
    if node.matrix is not None:
        return np.array(node.matrix).reshape(4, 4).T
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_matrix(node.rotation) * node.scale
    matrix[:3, 3] = node.translation
    return matrix


def rotation_matrix(quaternion: tuple[float, float, float, float]) -> Matrices:
    """Return the rotation of a quaternion x, y, z, w of any length but 0, float64 [3, 3]."""
    length = float(np.linalg.norm(quaternion))
    if not length:
        return np.eye(3)
    x, y, z, w = np.array(quaternion) / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def parent_axes(gltf: Gltf, node: int) -> Matrices:
    """Return the unit axes of a node's parent in the face's space, as columns, float64 [3, 3]."""
    parent = _parents(gltf).get(node)
    matrix = front_matrix(gltf) if parent is None else world_matrices(gltf)[parent]
    axes: Matrices = matrix[:3, :3] / np.maximum(np.linalg.norm(matrix[:3, :3], axis=0), 1e-12)
    return axes


def turned_nodes(gltf: Gltf) -> dict[str, int]:
    """Return the node of each of `ROLES` which there is.

    In a VRM they are its bones, else the first nodes of such a name. A node is the head only if it
    is a joint or carries all meshes. ValueError for a bone that does not exist.
    """
    bones = role_bones(gltf)
    for node in bones.values():
        item(gltf.nodes, node, "node")
    if bones:
        return bones
    found: dict[str, int] = {}
    for index, candidate in enumerate(gltf.nodes):
        role = role_of(candidate.name)
        if role and role not in found and (role != ROOT or _carries_face(gltf, index)):
            found[role] = index
    return found


def _carries_face(gltf: Gltf, node: int) -> bool:
    if any(node in skin.joints for skin in gltf.skins):
        return True
    carried = {node}
    following = [node]
    while following:
        children = gltf.nodes[following.pop()].children
        following += [child for child in children if child not in carried]
        carried.update(children)
    return all(index in carried for index, each in enumerate(gltf.nodes) if each.mesh is not None)


def _parents(gltf: Gltf) -> dict[int, int]:
    parents: dict[int, int] = {}
    for parent, node in enumerate(gltf.nodes):
        for child in node.children:
            item(gltf.nodes, child, "node")
            if child in parents:
                raise ValueError(f"node {child} has two parents, {parents[child]} and {parent}")
            parents[child] = parent
    return parents
