"""The tree of a glTF file: where its meshes stand, which nodes turn with gaze and head pose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.heads.glb_writer import ROOT
from bridge.heads.gltf import item
from bridge.heads.mesh import EYES
from bridge.heads.names import bare_name
from bridge.heads.vrm import faces_backwards, head_bone

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bridge.heads.gltf import Gltf, Node

    Matrices = NDArray[np.float64]

_EYE_NAMES = {
    name: eye
    for eye, side in zip(EYES, ("left", "right"), strict=True)
    for name in (f"eye{side}", f"{side}eye", f"eye{side[0]}", f"{side[0]}eye")
}


def world_matrices(gltf: Gltf) -> Matrices:
    """Return what carries each node's own space to the face's, float64 [nodes, 4, 4].

    The face looks along +Z, also that of a VRM 0 file, which looks along -Z itself. ValueError
    where a node has two parents or is its own ancestor.
    """
    matrices = np.tile(np.eye(4), (len(gltf.nodes), 1, 1))
    parents = _parents(gltf)
    front = front_matrix(gltf)
    following = [(node, front) for node in range(len(gltf.nodes)) if node not in parents]
    reached = 0
    while following:
        index, above = following.pop()
        node = gltf.nodes[index]
        matrices[index] = above @ local_matrix(node)
        following += [(child, matrices[index]) for child in node.children]
        reached += 1
    if reached < len(gltf.nodes):
        raise ValueError(f"{len(gltf.nodes) - reached} nodes are their own ancestors")
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


def eye_of(node: Node) -> str | None:
    """Return which of `EYES` a node is: one with a rigid mesh, named as `eyeLeft` or `Eye_L`."""
    if node.mesh is None or node.skin is not None:
        return None
    return _EYE_NAMES.get(bare_name(node.name).replace("_", "").replace(" ", ""))


def head_node(gltf: Gltf) -> int | None:
    """Return the node which the head pose turns: a VRM's head bone, or one named `head`.

    Of several a joint is preferred, then one with children.
    """
    bone = head_bone(gltf)
    if bone is not None:
        item(gltf.nodes, bone, "node")
        return bone
    joints = {joint for skin in gltf.skins for joint in skin.joints}
    named = [index for index, node in enumerate(gltf.nodes) if bare_name(node.name) == ROOT]
    return max(named, key=lambda n: (n in joints, bool(gltf.nodes[n].children)), default=None)


def _parents(gltf: Gltf) -> dict[int, int]:
    parents: dict[int, int] = {}
    for parent, node in enumerate(gltf.nodes):
        for child in node.children:
            item(gltf.nodes, child, "node")
            if child in parents:
                raise ValueError(f"node {child} has two parents, {parents[child]} and {parent}")
            parents[child] = parent
    return parents
