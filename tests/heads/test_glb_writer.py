"""The written file: alignment, names, sizes and sameness; its values are in `test_reading`."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from typing import Any

import numpy as np

from bridge.heads.glb_writer import write_glb
from bridge.heads.mesh import Head, Part, Shape
from tests.heads.small import small_head


def _document(data: bytes) -> dict[str, Any]:
    magic, version, total = struct.unpack_from("<4sII", data)
    assert (magic, version, total) == (b"glTF", 2, len(data))
    length, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    document: dict[str, Any] = json.loads(data[20 : 20 + length])
    binary, kind = struct.unpack_from("<I4s", data, 20 + length)
    assert kind == b"BIN\0"
    assert 28 + length + binary == len(data)
    return document


def test_equal_heads_give_equal_bytes() -> None:
    assert write_glb(small_head()) == write_glb(small_head())


def test_nodes_and_shapes_are_named_and_every_view_is_aligned() -> None:
    document = _document(write_glb(small_head()))
    assert [node["name"] for node in document["nodes"]] == [
        "head",
        "skin",
        "teeth",
        "eyeLeft",
        "eyeRight",
    ]
    assert document["nodes"][0]["children"] == [1, 2, 3, 4]
    assert document["meshes"][0]["extras"]["targetNames"] == [
        "jawOpen",
        "eyeBlinkLeft",
        "browInnerUp",
    ]
    assert all(view["byteOffset"] % 4 == 0 for view in document["bufferViews"])
    assert document["asset"]["copyright"] == "made for a test"


def test_a_shape_which_moves_nothing_costs_nothing() -> None:
    head = small_head()
    still = np.zeros((16, 3), np.float32)
    skin = replace(head.parts[0], shapes={"jawOpen": Shape(still, still)})
    document = _document(write_glb(replace(head, parts=(skin,))))
    target = document["meshes"][0]["primitives"][0]["targets"][0]
    accessor = document["accessors"][target["POSITION"]]
    assert "sparse" not in accessor
    assert accessor["min"] == accessor["max"] == [0, 0, 0]


def test_many_vertices_take_wide_indices() -> None:
    count = 70_000
    at = np.random.default_rng(1).uniform(-0.1, 0.1, (count, 3)).astype(np.float32)
    last = np.zeros((count, 3), np.float32)
    last[-1] = 0.01
    part = Part(
        name="skin",
        positions=at,
        normals=np.tile(np.array([0, 0, 1], np.float32), (count, 1)),
        triangles=np.array([[0, 1, count - 1]], np.int32),
        colours=np.full((count, 3), 0.5, np.float32),
        shapes={"jawOpen": Shape(last, last)},
    )
    document = _document(write_glb(Head("large", (part,), "made for a test")))
    primitive = document["meshes"][0]["primitives"][0]
    assert document["accessors"][primitive["indices"]]["componentType"] == 5125
    sparse = document["accessors"][primitive["targets"][0]["POSITION"]]["sparse"]
    assert (sparse["count"], sparse["indices"]["componentType"]) == (1, 5125)
