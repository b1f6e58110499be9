import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import UserError
from bridge.heads.glb_file import MAX_JSON_BYTES, MAX_LENGTH, glb_chunks, parse_glb, read_glb
from bridge.heads.glb_writer import write_glb
from tests.heads.small import small_head

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
def test_what_is_written_is_read(document: dict[str, object], pieces: list[bytes]) -> None:
    binary = b"".join(pieces)
    content = b"".join(glb_chunks(document, pieces, len(binary)))
    assert len(content) % 4 == 0
    assert struct.unpack_from("<4sII", content) == (b"glTF", 2, len(content))
    read = parse_glb(content)
    assert read.document == document
    assert read.binary[: len(binary)] == binary
    assert read.binary[len(binary) :] == bytes(-len(binary) % 4)


def test_pieces_must_make_what_was_said() -> None:
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
def test_what_is_no_glb_is_told_with_its_numbers(content: bytes, message: str) -> None:
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


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_glb(tmp_path / "none.glb")
    with pytest.raises(UserError, match="cannot be read"):
        read_glb(tmp_path)
    path = tmp_path / "notes.glb"
    path.write_text("not a head at all, but text")
    with pytest.raises(UserError, match=r"does not begin with `glTF`.*export the head"):
        read_glb(path)


def test_our_own_files_are_read() -> None:
    read = parse_glb(write_glb(small_head()))
    names = [node["name"] for node in read.document["nodes"]]
    assert names == ["head", "skin", "teeth", "eyeLeft", "eyeRight"]
