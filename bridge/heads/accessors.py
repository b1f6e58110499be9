"""The numbers of a glTF file: typed, quantised, interleaved and sparse.

After sections 3.6.2 (accessors) and 3.11 (implementation notes on normalised integers) of the
glTF 2.0 specification, and KHR_mesh_quantization. Compressed data is refused with a remedy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from bridge.errors import Problem, UserError
from bridge.heads.gltf import item

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from bridge.heads.gltf import Accessor, Gltf, Sparse

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
