"""The written file: alignment, names, sizes and sameness; its values are in `test_reading`."""

from __future__ import annotations

import json
import struct
import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cstalk_bridge.heads.glb import (
    MAX_JSON_BYTES,
    MAX_LENGTH,
    glb_chunks,
    parse_glb,
    read_glb,
    write_glb,
)
from cstalk_bridge.heads.mesh import Head, Part, Shape
from cstalk_bridge.models.errors import UserError
from tests.heads.small import small_head

if TYPE_CHECKING:
    from pathlib import Path

MINIMAL = {"asset": {"version": "2.0"}}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=40)
@given(
    st.dictionaries(st.text(), json_values, max_size=4),
    st.lists(st.binary(max_size=40), max_size=5),
)
def test_write_and_read_round_trip(document: dict[str, object], pieces: list[bytes]) -> None:
    binary = b"".join(pieces)
    content = b"".join(glb_chunks(document, pieces, len(binary)))
    assert len(content) % 4 == 0
    assert struct.unpack_from("<4sII", content) == (b"glTF", 2, len(content))
    read = parse_glb(content)
    assert read.document == document
    assert read.binary[: len(binary)] == binary
    assert read.binary[len(binary) :] == bytes(-len(binary) % 4)


def test_pieces_must_match_the_declared_length() -> None:
    with pytest.raises(ValueError, match="3 bytes of binary data instead of 4"):
        list(glb_chunks(MINIMAL, [b"abc"], 4))
    with pytest.raises(OverflowError, match=str(MAX_LENGTH)):
        next(glb_chunks(MINIMAL, [], MAX_LENGTH))


def wrapped(text: bytes, kind: bytes = b"JSON", version: int = 2) -> bytes:
    chunk = struct.pack("<I4s", len(text), kind) + text
    return struct.pack("<4sII", b"glTF", version, 12 + len(chunk)) + chunk


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes are fewer than the header of 12"),
        (b"RIFF" + bytes(20), "does not begin with `glTF`"),
        (wrapped(b"{}", version=1), "glTF version 1 instead of 2"),
        (wrapped(b"{}")[:-1], "cut off: 21 of 22 bytes"),
        (wrapped(b"{}", b"BIN\0"), "first chunk is not the JSON document"),
        (struct.pack("<4sII", b"glTF", 2, 12), "first chunk is not the JSON document"),
        (struct.pack("<4sIIII", b"glTF", 2, 20, 400, 0), "chunk of 400 bytes at byte 20"),
        (struct.pack("<4sIII", b"glTF", 2, 16, 0), "header at byte 12 is cut off"),
        (wrapped(b"[]  "), "no JSON object"),
        (wrapped(b'{"a":NaN}'), "NaN is no JSON number"),
        (wrapped(b'{"a":1e999}'), "1e999 is no JSON number"),
        (wrapped(b'{"a":"\xff"}'), "decode"),
        (wrapped(b"[" * 200_000), "nested too deeply"),
        (wrapped(b'{"a":' + b"1" * 5000 + b"}"), "digits"),
        (wrapped(b" " * (MAX_JSON_BYTES + 1)), f"the limit is {MAX_JSON_BYTES}"),
    ],
)
def test_an_invalid_glb_is_reported_with_its_numbers(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_glb(content)


def test_a_file_of_200_mb_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "große.glb"
    with path.open("wb") as file:
        file.truncate(200 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="200 MB; the limit for a head is 64 MB"):
            read_glb(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_an_unreadable_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_glb(tmp_path / "none.glb")
    with pytest.raises(UserError, match="cannot be read"):
        read_glb(tmp_path)
    path = tmp_path / "notes.glb"
    path.write_text("not a head at all, but text")
    with pytest.raises(UserError, match=r"does not begin with `glTF`.*export the head"):
        read_glb(path)


def test_bundled_heads_are_read() -> None:
    read = parse_glb(write_glb(small_head()))
    names = [node["name"] for node in read.document["nodes"]]
    assert names == ["head", "skin", "teeth", "eyeLeft", "eyeRight"]


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


def test_a_shape_without_displacement_takes_no_space() -> None:
    head = small_head()
    still = np.zeros((16, 3), np.float32)
    skin = replace(head.parts[0], shapes={"jawOpen": Shape(still, still)})
    document = _document(write_glb(replace(head, parts=(skin,))))
    target = document["meshes"][0]["primitives"][0]["targets"][0]
    accessor = document["accessors"][target["POSITION"]]
    assert "sparse" not in accessor
    assert accessor["min"] == accessor["max"] == [0, 0, 0]


def test_many_vertices_use_wide_indices() -> None:
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
