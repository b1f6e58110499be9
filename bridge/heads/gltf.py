"""A glTF 2.0 document: its objects and accessors, and its node tree with the place of each mesh and
the nodes that turn with gaze and head.

Names are those of the specification. Accessors are typed, quantised, interleaved and sparse,
after sections 3.6.2 (accessors) and 3.11 (implementation notes on normalised integers), and
KHR_mesh_quantization. Compressed data is refused with advice. VRM adds expressions and bones to
glTF; VRM 0 faces the other way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cstalk_bridge.heads.glb import ROOT
from cstalk_bridge.heads.mesh import role_of
from cstalk_bridge.models.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Matrices = NDArray[np.float64]


_T = TypeVar("_T")

MAX_ITEMS = 20_000
"""Entries of one list, as accessors or nodes; a figure with clothes has a few hundred."""
_MAX_FAULTS = 3
_MAX_SHOWN = 120
"""Characters of a text which are shown."""

Index = Annotated[int, Field(ge=0, lt=MAX_ITEMS)]
Size = Annotated[int, Field(ge=0, lt=1 << 32)]
Items = Field(default=(), max_length=MAX_ITEMS)
Vector3 = tuple[float, float, float]
Vector4 = tuple[float, float, float, float]


class _GltfObject(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Buffer(_GltfObject):
    """`uri` is None for the binary chunk of the same file."""

    byteLength: Size  # noqa: N815
    uri: str | None = None


class BufferView(_GltfObject):
    """A piece of a buffer."""

    buffer: Index
    byteOffset: Size = 0  # noqa: N815
    byteLength: Size  # noqa: N815
    byteStride: int | None = Field(default=None, ge=4, le=252)  # noqa: N815


class SparseIndices(_GltfObject):
    """Which elements differ."""

    bufferView: Index  # noqa: N815
    byteOffset: Size = 0  # noqa: N815
    componentType: int  # noqa: N815


class SparseValues(_GltfObject):
    """What they are instead."""

    bufferView: Index  # noqa: N815
    byteOffset: Size = 0  # noqa: N815


class Sparse(_GltfObject):
    """Elements that differ from those of the buffer view, or from zero."""

    count: Size
    indices: SparseIndices
    values: SparseValues


class Accessor(_GltfObject):
    """Numbers in a buffer view."""

    bufferView: Index | None = None  # noqa: N815
    byteOffset: Size = 0  # noqa: N815
    componentType: int  # noqa: N815
    normalized: bool = False
    count: Size
    type: str
    sparse: Sparse | None = None


class Primitive(_GltfObject):
    """Triangles of one material; each target adds to the attributes."""

    attributes: dict[str, Index] = Field(default_factory=dict)
    indices: Index | None = None
    material: Index | None = None
    mode: int = 4
    targets: tuple[dict[str, Index], ...] = Items
    extras: Any = None


class Mesh(_GltfObject):
    """Primitives with the same targets."""

    name: str = ""
    primitives: tuple[Primitive, ...] = Items
    extras: Any = None


class Node(_GltfObject):
    """A place in the tree: either `matrix`, column by column, or the other three."""

    name: str = ""
    mesh: Index | None = None
    skin: Index | None = None
    children: tuple[Index, ...] = Items
    matrix: Annotated[tuple[float, ...], Field(min_length=16, max_length=16)] | None = None
    translation: Vector3 = (0.0, 0.0, 0.0)
    rotation: Vector4 = (0.0, 0.0, 0.0, 1.0)
    scale: Vector3 = (1.0, 1.0, 1.0)


class Skin(_GltfObject):
    """The joints of a skinned mesh."""

    joints: tuple[Index, ...] = Items


class Surface(_GltfObject):
    """The metallic-roughness model of a material."""

    baseColorFactor: Vector4 = (1.0, 1.0, 1.0, 1.0)  # noqa: N815
    roughnessFactor: float = 1.0  # noqa: N815


class Material(_GltfObject):
    """How a primitive looks."""

    pbrMetallicRoughness: Surface = Surface()  # noqa: N815


class Asset(_GltfObject):
    """What the file declares of itself."""

    version: Literal["2.0"]
    copyright: str = ""


class Gltf(_GltfObject):
    """A document, each list checked by itself; indices into lists are checked by `item`."""

    asset: Asset
    extensionsRequired: tuple[str, ...] = Items  # noqa: N815
    buffers: tuple[Buffer, ...] = Items
    bufferViews: tuple[BufferView, ...] = Items  # noqa: N815
    accessors: tuple[Accessor, ...] = Items
    meshes: tuple[Mesh, ...] = Items
    nodes: tuple[Node, ...] = Items
    skins: tuple[Skin, ...] = Items
    materials: tuple[Material, ...] = Items
    extensions: dict[str, Any] = Field(default_factory=dict)


def parse_gltf(document: dict[str, Any]) -> Gltf:
    """Return what is read of a document; raises ValueError with the wrong entries."""
    try:
        return Gltf.model_validate(document)
    except ValidationError as error:
        faults = [
            f"{shown('.'.join(map(str, fault['loc'])))}: {shown(fault['msg'])}"
            for fault in error.errors(include_input=False)[:_MAX_FAULTS]
        ]
        more = error.error_count() - len(faults)
        raise ValueError("; ".join(faults) + (f"; and {more} more" if more else "")) from None


def shown(text: str) -> str:
    """Return a text of a file as it may stand in a message: short, without control characters."""
    return "".join(each for each in text[:_MAX_SHOWN] if each.isprintable())


def item(items: Sequence[_T], index: int, kind: str) -> _T:
    """Return the entry with that index; ValueError where the list is shorter."""
    if index >= len(items):
        raise ValueError(f"{kind} {index} does not exist, there are {len(items)}")
    return items[index]


MAX_DECODED_BYTES: Final = 256 << 20
"""What all accessors of one head may become in memory: 100,000 vertices with 52 shapes."""

COMPRESSIONS: Final = {
    "KHR_draco_mesh_compression": "Draco",
    "EXT_meshopt_compression": "meshopt",
    "KHR_meshopt_compression": "meshopt",
}

_TYPES: Final = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS: Final = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


def refuse_compression(gltf: Gltf, where: str) -> None:
    """Raise UserError where the meshes of a file are compressed."""
    for extension in gltf.extensionsRequired:
        if extension in COMPRESSIONS:
            what = f"its meshes are compressed with {COMPRESSIONS[extension]} ({extension})"
            remedy = "export it again without mesh compression"
            raise UserError(Problem(where, what, remedy))


class Accessors:
    """The accessors of one file, decoded one by one until `MAX_DECODED_BYTES` are made."""

    def __init__(self, gltf: Gltf, binary: bytes) -> None:
        self._gltf = gltf
        self._binary = binary
        self._decoded = 0

    def floats(self, index: int, width: int) -> NDArray[np.float32]:
        """Return float32 [count, width]; normalised integers lie within -1..1.

        ValueError where the accessor has another width, reaches out of its buffer, or holds a
        value that is not finite.
        """
        accessor = item(self._gltf.accessors, index, "accessor")
        raw = self._elements(accessor, width)
        values = raw.astype(np.float32)
        if accessor.normalized and raw.dtype.kind in "iu":
            values /= np.float32(np.iinfo(raw.dtype).max)
            np.maximum(values, -1.0, out=values)
        if not np.isfinite(values).all():
            raise ValueError(f"accessor {index} holds a value that is not finite")
        return values

    def indices(self, index: int, below: int) -> NDArray[np.int64]:
        """Return whole numbers [count] of 0..below-1; ValueError for others."""
        accessor = item(self._gltf.accessors, index, "accessor")
        raw = self._elements(accessor, 1)
        if raw.dtype.kind != "u":
            raise ValueError(f"accessor {index} holds no indices but {raw.dtype.name}")
        values = raw[:, 0].astype(np.int64)
        if values.size and int(values.max()) >= below:
            raise ValueError(f"accessor {index} points to {values.max()}, there are {below}")
        return values

    def width(self, index: int) -> int:
        """Return how many numbers an element has; ValueError for matrices and unknown types."""
        accessor = item(self._gltf.accessors, index, "accessor")
        if accessor.type not in _WIDTHS:
            raise ValueError(f"elements of type {accessor.type[:20]!r} are no numbers or vectors")
        return _WIDTHS[accessor.type]

    def _elements(self, accessor: Accessor, width: int) -> NDArray[Any]:
        if _WIDTHS.get(accessor.type) != width:
            raise ValueError(f"elements of type {accessor.type[:20]!r} have not {width} numbers")
        dtype = _dtype(accessor.componentType)
        self._decoded += accessor.count * width * (dtype.itemsize + 4)
        if self._decoded > MAX_DECODED_BYTES:
            raise ValueError(f"the meshes need more than {MAX_DECODED_BYTES >> 20} MB of memory")
        if accessor.bufferView is None:
            values = np.zeros((accessor.count, width), dtype)
        else:
            values = self._slice(
                accessor.bufferView, accessor.byteOffset, accessor.count, dtype, width
            )
        return self._overlaid(values, accessor.sparse) if accessor.sparse else values

    def _overlaid(self, values: NDArray[Any], sparse: Sparse) -> NDArray[Any]:
        if sparse.count > len(values):
            raise ValueError(f"{sparse.count} sparse elements of {len(values)}")
        at, new = sparse.indices, sparse.values
        kind = _dtype(at.componentType)
        if kind.kind != "u":
            raise ValueError(f"sparse indices are {kind.name}, which is not unsigned")
        places = self._slice(at.bufferView, at.byteOffset, sparse.count, kind, 1)[:, 0]
        if places.size and int(places.max()) >= len(values):
            raise ValueError(f"a sparse index is {places.max()}, there are {len(values)} elements")
        whole = values.copy()
        whole[places] = self._slice(
            new.bufferView, new.byteOffset, sparse.count, values.dtype, values.shape[1]
        )
        return whole

    def _slice(
        self, view_index: int, offset: int, count: int, dtype: np.dtype[Any], width: int
    ) -> NDArray[Any]:
        """Return `count` elements of a buffer view, [count, width], without copying."""
        view = item(self._gltf.bufferViews, view_index, "buffer view")
        buffer = item(self._gltf.buffers, view.buffer, "buffer")
        if view.buffer != 0 or buffer.uri is not None:
            raise ValueError(f"buffer {view.buffer} lies outside of the file")
        if view.byteOffset + view.byteLength > len(self._binary):
            end = view.byteOffset + view.byteLength
            raise ValueError(f"a buffer view ends at byte {end} of {len(self._binary)}")
        size = width * dtype.itemsize
        stride = view.byteStride or size
        end = offset + stride * (count - 1) + size if count else offset
        if stride < size or end > view.byteLength:
            raise ValueError(f"{count} elements end at byte {end} of {view.byteLength}")
        start = view.byteOffset + offset
        strides = (stride, dtype.itemsize)
        return np.ndarray((count, width), dtype, self._binary, start if count else 0, strides)


def _dtype(component_type: int) -> np.dtype[Any]:
    if component_type not in _TYPES:
        raise ValueError(f"component type {component_type} is unknown")
    return np.dtype(_TYPES[component_type])


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
