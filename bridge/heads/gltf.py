"""What of a glTF 2.0 document is read, by the names of its specification.

Everything else in a document is ignored here and kept as it is where a file is written again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    from collections.abc import Sequence

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


class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Buffer(_Entry):
    """`uri` is None for the binary chunk of the same file."""

    byteLength: Size  # noqa: N815
    uri: str | None = None


class BufferView(_Entry):
    """A piece of a buffer."""

    buffer: Index
    byteOffset: Size = 0  # noqa: N815
    byteLength: Size  # noqa: N815
    byteStride: int | None = Field(default=None, ge=4, le=252)  # noqa: N815


class SparseIndices(_Entry):
    """Which elements differ."""

    bufferView: Index  # noqa: N815
    byteOffset: Size = 0  # noqa: N815
    componentType: int  # noqa: N815


class SparseValues(_Entry):
    """What they are instead."""

    bufferView: Index  # noqa: N815
    byteOffset: Size = 0  # noqa: N815


class Sparse(_Entry):
    """Elements that differ from those of the buffer view, or from zero."""

    count: Size
    indices: SparseIndices
    values: SparseValues


class Accessor(_Entry):
    """Numbers in a buffer view."""

    bufferView: Index | None = None  # noqa: N815
    byteOffset: Size = 0  # noqa: N815
    componentType: int  # noqa: N815
    normalized: bool = False
    count: Size
    type: str
    sparse: Sparse | None = None


class Primitive(_Entry):
    """Triangles of one material; each target adds to the attributes."""

    attributes: dict[str, Index] = Field(default_factory=dict)
    indices: Index | None = None
    material: Index | None = None
    mode: int = 4
    targets: tuple[dict[str, Index], ...] = Items
    extras: Any = None


class Mesh(_Entry):
    """Primitives with the same targets."""

    name: str = ""
    primitives: tuple[Primitive, ...] = Items
    extras: Any = None


class Node(_Entry):
    """A place in the tree: either `matrix`, column by column, or the other three."""

    name: str = ""
    mesh: Index | None = None
    skin: Index | None = None
    children: tuple[Index, ...] = Items
    matrix: Annotated[tuple[float, ...], Field(min_length=16, max_length=16)] | None = None
    translation: Vector3 = (0.0, 0.0, 0.0)
    rotation: Vector4 = (0.0, 0.0, 0.0, 1.0)
    scale: Vector3 = (1.0, 1.0, 1.0)


class Skin(_Entry):
    """The joints of a skinned mesh."""

    joints: tuple[Index, ...] = Items


class Surface(_Entry):
    """The metallic-roughness model of a material."""

    baseColorFactor: Vector4 = (1.0, 1.0, 1.0, 1.0)  # noqa: N815
    roughnessFactor: float = 1.0  # noqa: N815


class Material(_Entry):
    """How a primitive looks."""

    pbrMetallicRoughness: Surface = Surface()  # noqa: N815


class Asset(_Entry):
    """What the file says of itself."""

    version: Literal["2.0"]
    copyright: str = ""


class Gltf(_Entry):
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
    """Return what is read of a document; ValueError says which entries are wrong and how."""
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
