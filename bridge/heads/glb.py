"""Binary glTF 2.0 files: the container, read and written, and a head written into one.

Layout: glTF 2.0 specification, sections 3.6 (accessors), 3.7 (meshes) and 4.4 (the container): a
header of magic, version and total length, then chunks of length, type and content padded to four
bytes; all numbers are little-endian u32. Positions of a written head are int16 steps which the
node's uniform scale turns into metres (KHR_mesh_quantization), shapes are sparse accessors over
the vertices which they move, with int8 normals.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from cstalk_bridge.models.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.heads.mesh import Head, Part, Shape


MAX_GLB_BYTES = 64 << 20
"""Size of a head's file; a scanned head with all shapes and without textures has 3 MB."""
MAX_JSON_BYTES = 4 << 20
"""Size of the document in it; in memory it becomes about twenty times as large at worst."""
MAX_LENGTH = (1 << 32) - 1
"""The length of a file is a u32."""

_MAGIC, _VERSION, _JSON, _BIN = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
_HEADER, _CHUNK = struct.Struct("<III"), struct.Struct("<II")


@dataclass(frozen=True, slots=True, eq=False)
class Glb:
    """The document, and the content of the first buffer; empty where there is none."""

    document: dict[str, Any]
    binary: bytes


def read_glb(path: Path) -> Glb:
    """Return the content of a file.

    UserError where there is none, it is larger than `MAX_GLB_BYTES` (seen before it is read) or is
    no binary glTF 2.0 file.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            data = file.read(size) if size <= MAX_GLB_BYTES else b""
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}"
        raise UserError(Problem(str(path), what, "check the path")) from None
    if size > MAX_GLB_BYTES:
        what = f"{size / (1 << 20):.0f} MB; the limit for a head is {MAX_GLB_BYTES >> 20} MB"
        remedy = "export the head alone, without body and textures"
        raise UserError(Problem(str(path), what, remedy))
    try:
        return parse_glb(data)
    except ValueError as error:
        remedy = "export the head as glTF 2.0 binary (.glb) or VRM (.vrm)"
        raise UserError(Problem(str(path), f"not a head: {error}", remedy)) from None


def parse_glb(data: bytes) -> Glb:
    """Return the chunks of a file's content; raises ValueError with what is wrong."""
    if len(data) < _HEADER.size:
        raise ValueError(f"{len(data)} bytes are fewer than the header of {_HEADER.size}")
    magic, version, length = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise ValueError("it does not begin with `glTF`")
    if version != _VERSION:
        raise ValueError(f"glTF version {version} instead of {_VERSION}")
    if length > len(data):
        raise ValueError(f"it is cut off: {len(data)} of {length} bytes")
    chunks = list(_chunks(memoryview(data)[:length]))
    if not chunks or chunks[0][0] != _JSON:
        raise ValueError("the first chunk is not the JSON document")
    binary = chunks[1][1] if len(chunks) > 1 and chunks[1][0] == _BIN else b""
    return Glb(_parse_document(bytes(chunks[0][1])), bytes(binary))


def glb_chunks(
    document: dict[str, Any], pieces: Iterable[bytes], binary_bytes: int
) -> Iterator[bytes]:
    """Yield a file piece by piece, from pieces of the binary chunk that make `binary_bytes`.

    OverflowError where the whole would be longer than `MAX_LENGTH`, ValueError where the pieces are
    shorter than it declares.
    """
    text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    padding = bytes(-binary_bytes % 4)
    total = _HEADER.size + 2 * _CHUNK.size + len(text) + binary_bytes + len(padding)
    if total > MAX_LENGTH:
        raise OverflowError(f"{total} bytes are more than a GLB file may have, {MAX_LENGTH}")
    yield _HEADER.pack(_MAGIC, _VERSION, total) + _CHUNK.pack(len(text), _JSON) + text
    yield _CHUNK.pack(binary_bytes + len(padding), _BIN)
    written = 0
    for piece in pieces:
        written += len(piece)
        yield piece
    if written != binary_bytes:
        raise ValueError(f"{written} bytes of binary data instead of {binary_bytes}")
    yield padding


def _chunks(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    offset = _HEADER.size
    while offset < len(data):
        if offset + _CHUNK.size > len(data):
            raise ValueError(f"a chunk's header at byte {offset} is cut off")
        size, kind = _CHUNK.unpack_from(data, offset)
        offset += _CHUNK.size
        if size > len(data) - offset:
            raise ValueError(f"a chunk of {size} bytes at byte {offset} is cut off")
        yield kind, data[offset : offset + size]
        offset += size + (-size % 4)


def _parse_document(text: bytes) -> dict[str, Any]:
    if len(text) > MAX_JSON_BYTES:
        raise ValueError(f"a document of {len(text)} bytes, the limit is {MAX_JSON_BYTES}")
    try:
        document = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("the document is nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError("the document is no JSON object")  # noqa: TRY004 - a fault of the data
    return document


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text[:20])


ROOT = "head"
"""The node which the head pose turns; the parts are its children."""

_GLB_MAGIC, _GLB_VERSION, _JSON_CHUNK, _BIN_CHUNK = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
_VERTEX_TARGET, _INDEX_TARGET = 34962, 34963
_COMPONENTS = {"int8": 5120, "uint8": 5121, "int16": 5122, "uint16": 5123, "uint32": 5125}
_INT8_MAX, _UINT8_MAX, _INT16_MAX, _UINT16_MAX = 127, 255, 32767, 65535


def write_glb(head: Head) -> bytes:
    """Return the file's bytes: node `head` over one node per part, named like it.

    Positions keep 1/32767 of a part's extent, colours 1/255, normals 1/127. Equal heads
    give equal bytes.
    """
    document = _Document()
    nodes = [document.node(part) for part in head.parts]
    root = {"name": ROOT, "children": list(range(1, len(nodes) + 1))}
    return document.container(
        {
            "asset": {"version": "2.0", "generator": "cstalk-bridge", "copyright": head.licence},
            "extensionsUsed": ["KHR_mesh_quantization"],
            "extensionsRequired": ["KHR_mesh_quantization"],
            "scene": 0,
            "scenes": [{"name": head.name, "nodes": [0]}],
            "nodes": [root, *nodes],
        }
    )


def _step(part: Part) -> float:
    """Return the metres of one int16 step: the largest sum of a vertex and a shape fits."""
    extents = [part.positions, *(shape.positions for shape in part.shapes.values())]
    widest = max((float(np.abs(extent).max(initial=0.0)) for extent in extents), default=0.0)
    return max(widest, 1e-6) / _INT16_MAX


def _rounded(values: NDArray[np.float32], scale: float, dtype: str) -> NDArray[Any]:
    limits = np.iinfo(dtype)
    low = max(int(limits.min), -int(limits.max))
    return np.clip(np.rint(values.astype(np.float64) * scale), low, limits.max).astype(dtype)


@dataclass
class _Document:
    """The lists of a glTF document while parts are added."""

    data: bytearray = field(default_factory=bytearray)
    views: list[dict[str, Any]] = field(default_factory=list)
    accessors: list[dict[str, Any]] = field(default_factory=list)
    meshes: list[dict[str, Any]] = field(default_factory=list)
    materials: list[dict[str, Any]] = field(default_factory=list)

    def node(self, part: Part) -> dict[str, Any]:
        """Add a part's mesh and return the node which places it."""
        step_m = _step(part)
        primitive = {
            "attributes": {
                "POSITION": self._vertices(part.positions, 1 / step_m, "int16", bounds=True),
                "NORMAL": self._vertices(part.normals, _INT8_MAX, "int8"),
                "COLOR_0": self._vertices(part.colours, _UINT8_MAX, "uint8"),
            },
            "indices": self._indices(part.triangles, len(part.positions)),
            "material": len(self.materials),
        }
        mesh: dict[str, Any] = {"name": part.name, "primitives": [primitive]}
        if part.shapes:
            primitive["targets"] = [self._target(shape, step_m) for shape in part.shapes.values()]
            mesh["weights"] = [0] * len(part.shapes)
            mesh["extras"] = {"targetNames": list(part.shapes)}
        material = {"metallicFactor": 0, "roughnessFactor": part.roughness}
        self.materials.append({"name": part.name, "pbrMetallicRoughness": material})
        self.meshes.append(mesh)
        return {
            "name": part.name,
            "mesh": len(self.meshes) - 1,
            "translation": [float(value) for value in part.pivot],
            "scale": [step_m] * 3,
        }

    def container(self, document: dict[str, Any]) -> bytes:
        """Return the JSON and binary chunks as one file."""
        document["meshes"], document["materials"] = self.meshes, self.materials
        document["accessors"], document["bufferViews"] = self.accessors, self.views
        document["buffers"] = [{"byteLength": len(self.data)}]
        text = json.dumps(document, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        binary = bytes(self.data) + bytes(-len(self.data) % 4)
        total = 12 + 8 + len(text) + 8 + len(binary)
        return b"".join(
            [
                struct.pack("<III", _GLB_MAGIC, _GLB_VERSION, total),
                struct.pack("<II", len(text), _JSON_CHUNK) + text,
                struct.pack("<II", len(binary), _BIN_CHUNK) + binary,
            ]
        )

    def _vertices(
        self, values: NDArray[np.float32], scale: float, dtype: str, *, bounds: bool = False
    ) -> int:
        rounded = _rounded(values, scale, dtype)
        padded = np.zeros((len(rounded), 4), dtype)
        padded[:, :3] = rounded
        view = self._view(padded, target=_VERTEX_TARGET, byteStride=padded.strides[0])
        accessor = {"bufferView": view, "componentType": _COMPONENTS[dtype], "type": "VEC3"}
        return self._accessor(accessor, rounded, normalized=not bounds, bounds=bounds)

    def _indices(self, triangles: NDArray[np.int32], vertices: int) -> int:
        dtype = "uint16" if vertices <= _UINT16_MAX else "uint32"
        flat = triangles.astype(dtype).reshape(-1)
        view = self._view(flat, target=_INDEX_TARGET)
        accessor = {"bufferView": view, "componentType": _COMPONENTS[dtype], "type": "SCALAR"}
        return self._accessor(accessor, flat)

    def _target(self, shape: Shape, step_m: float) -> dict[str, int]:
        positions = _rounded(shape.positions, 1 / step_m, "int16")
        normals = _rounded(shape.normals, _INT8_MAX, "int8")
        moved = np.flatnonzero(positions.any(axis=1) | normals.any(axis=1))
        dtype = "uint16" if len(positions) <= _UINT16_MAX else "uint32"
        indices = {"componentType": _COMPONENTS[dtype]}
        if len(moved):
            indices["bufferView"] = self._view(moved.astype(dtype))
        return {
            "POSITION": self._sparse(positions, moved, indices, bounds=True),
            "NORMAL": self._sparse(normals, moved, indices, normalized=True),
        }

    def _sparse(
        self,
        values: NDArray[Any],
        moved: NDArray[np.intp],
        indices: dict[str, int],
        *,
        normalized: bool = False,
        bounds: bool = False,
    ) -> int:
        kind = _COMPONENTS[str(values.dtype)]
        accessor: dict[str, Any] = {"componentType": kind, "type": "VEC3"}
        if len(moved):
            at = {"bufferView": self._view(values[moved])}
            accessor["sparse"] = {"count": len(moved), "indices": indices, "values": at}
        return self._accessor(accessor, values, normalized=normalized, bounds=bounds)

    def _accessor(
        self,
        accessor: dict[str, Any],
        values: NDArray[Any],
        *,
        normalized: bool = False,
        bounds: bool = False,
    ) -> int:
        accessor["count"] = len(values)
        if normalized:
            accessor["normalized"] = True
        if bounds:
            accessor["min"] = _numbers(values.min(axis=0))
            accessor["max"] = _numbers(values.max(axis=0))
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def _view(self, values: NDArray[Any], **layout: int) -> int:
        self.data += bytes(-len(self.data) % 4)
        content = values.astype(values.dtype.newbyteorder("<")).tobytes()
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(content), **layout}
        self.data += content
        self.views.append(view)
        return len(self.views) - 1


def _numbers(values: Iterable[Any]) -> list[int]:
    return [int(value) for value in values]
