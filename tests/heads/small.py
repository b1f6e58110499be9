"""Heads of a few vertices, and GLB files written by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cstalk_bridge.heads.glb import glb_chunks
from cstalk_bridge.heads.mesh import Head, Part, Shape

if TYPE_CHECKING:
    from pathlib import Path

COMPONENTS = {"i1": 5120, "u1": 5121, "<i2": 5122, "<u2": 5123, "<u4": 5125, "<f4": 5126}
KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}

EYE_M = (0.03, 0.07, 0.08)


def small_head(shapes: tuple[str, ...] = ("jawOpen", "eyeBlinkLeft", "browInnerUp")) -> Head:
    """Return a skin of 16 vertices with these shapes, teeth with the first, and two eyes."""
    skin = grid("skin", shapes)
    teeth = grid("teeth", shapes[:1])
    left = grid("eyeLeft", (), pivot=EYE_M)
    right = grid("eyeRight", (), pivot=(-EYE_M[0], *EYE_M[1:]))
    return Head("small", (skin, teeth, left, right), "made for a test")


def grid(
    name: str, shapes: tuple[str, ...], pivot: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> Part:
    """Return a grid of 16 vertices whose shapes move other vertices each."""
    rng = np.random.default_rng(len(name))
    y, x = np.mgrid[0:4, 0:4].reshape(2, -1)
    points = np.stack([x / 50, y / 50, rng.normal(0, 0.002, 16)], axis=1).astype(np.float32)
    corner = np.array([4 * row + column for row in range(3) for column in range(3)])
    triangles = np.concatenate(
        [corner[:, None] + [[0, 1, 5]], corner[:, None] + [[0, 5, 4]]]
    ).astype(np.int32)
    normals = np.tile(np.array([0.0, 0.0, 1.0], np.float32), (16, 1))
    colours = rng.uniform(0, 1, (16, 3)).astype(np.float32)
    moved = {}
    for shape in shapes:
        delta = np.zeros((16, 3), np.float32)
        delta[rng.permutation(16)[:5]] = rng.uniform(-0.02, 0.02, (5, 3))
        moved[shape] = Shape(delta, np.zeros((16, 3), np.float32))
    return Part(name, points, normals, triangles, colours, moved, pivot)


class Written:
    """A GLB file in the making: arrays become accessors."""

    def __init__(self) -> None:
        self.binary = b""
        self.document: dict[str, Any] = {
            "asset": {"version": "2.0"},
            "bufferViews": [],
            "accessors": [],
        }

    def view(self, content: bytes, **layout: int) -> int:
        self.binary += bytes(-len(self.binary) % 4)
        place = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(content)}
        self.binary += content
        self.document["bufferViews"].append({**place, **layout})
        return len(self.document["bufferViews"]) - 1

    def accessor(self, values: np.ndarray, dtype: str = "<f4", **more: Any) -> int:
        """Add an array [count, width] of a component type and return the accessor's index."""
        entry = {
            "bufferView": self.view(values.astype(dtype).tobytes()),
            "componentType": COMPONENTS[dtype],
            "count": len(values),
            "type": KINDS[values.shape[1]],
            **more,
        }
        self.document["accessors"].append(entry)
        return len(self.document["accessors"]) - 1

    def points(self, values: np.ndarray) -> int:
        single = values.astype(np.float32)
        bounds = {"min": single.min(axis=0).tolist(), "max": single.max(axis=0).tolist()}
        return self.accessor(single, **bounds)

    def add(self, key: str, entry: dict[str, Any]) -> int:
        self.document.setdefault(key, []).append(entry)
        return len(self.document[key]) - 1

    def content(self) -> bytes:
        self.document["buffers"] = [{"byteLength": len(self.binary)}]
        return b"".join(glb_chunks(self.document, [self.binary], len(self.binary)))

    def save(self, path: Path) -> Path:
        path.write_bytes(self.content())
        return path


def user_head(names: list[str], **node: Any) -> Written:
    """Return a file with one triangle which these shapes move, target n by n millimetres up."""
    file = Written()
    corners = np.array([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [0.0, 0.1, 0.0]])
    targets = [np.tile([0.0, 0.001 * number, 0.0], (3, 1)) for number in range(1, len(names) + 1)]
    primitive = {
        "attributes": {"POSITION": file.points(corners)},
        "targets": [{"POSITION": file.points(target)} for target in targets],
    }
    file.add("meshes", {"primitives": [primitive], "extras": {"targetNames": names}})
    file.add("nodes", {"name": "face", "mesh": 0, **node})
    return file
