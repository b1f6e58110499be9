"""The container of a binary glTF file: a JSON chunk and a binary chunk.

Layout: glTF 2.0 specification, section 4.4. A header of magic, version and total length, then
chunks of length, type and content padded to four bytes; all numbers are little-endian u32.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

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
        raise UserError(Problem(str(path), f"no head: {error}", remedy)) from None


def parse_glb(data: bytes) -> Glb:
    """Return the chunks of a file's content; ValueError says what is wrong with them."""
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
    not as long as said.
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
