"""A head as a binary glTF 2.0 file, small enough for a page.

Positions are int16 steps which the node's uniform scale turns into metres (KHR_mesh_quantization),
shapes are sparse accessors over the vertices which they move, with int8 normals. Layout after the
glTF 2.0 specification, sections 3.6 (accessors), 3.7 (meshes) and 4.4 (the container).
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from bridge.heads.mesh import Head, Part, Shape

ROOT = "head"
"""The node which the head pose turns; the parts are its children."""

_MAGIC, _VERSION, _JSON, _BIN = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
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
                struct.pack("<III", _MAGIC, _VERSION, total),
                struct.pack("<II", len(text), _JSON) + text,
                struct.pack("<II", len(binary), _BIN) + binary,
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
