"""Control messages on TCP: each payload behind a header that names its size.

Little-endian: the 11 bytes `CPSCONTROL\\0`, u16 version, u32 payload bytes, then the payload.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"CPSCONTROL\0"
SIZES = struct.Struct("<HI")
HEADER_BYTES = len(MAGIC) + SIZES.size

DEFAULT_VERSION = 1
"""The version of what is said before the other side spoke; afterwards its own is used."""

MAX_PAYLOAD_BYTES = 1 << 16
"""Largest payload that is taken; a request has a few hundred bytes."""


class FramingError(ValueError):
    """The stream is none of this protocol, and where its next message begins cannot be known."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One payload and the version it came with."""

    version: int
    payload: bytes


def pack(payload: bytes, version: int = DEFAULT_VERSION) -> bytes:
    """Return a payload behind its header."""
    return MAGIC + SIZES.pack(version, len(payload)) + payload


class Unpacker:
    """Packets out of a stream that comes in pieces of any size; holds at most one packet.

    `maximum` is the largest payload taken.
    """

    def __init__(self, maximum: int = MAX_PAYLOAD_BYTES) -> None:
        self._maximum = maximum
        self._buffer = bytearray()

    def feed(self, piece: bytes) -> Iterator[Packet]:
        """Yield the packets which are whole with this piece; use them up before the next piece.

        FramingError as soon as a header is wrong or its payload too large, after the packets
        before it.
        """
        self._buffer += piece
        while (size := self._whole_bytes()) is not None:
            version, _ = SIZES.unpack_from(self._buffer, len(MAGIC))
            payload = bytes(self._buffer[HEADER_BYTES:size])
            del self._buffer[:size]
            yield Packet(version, payload)

    def _whole_bytes(self) -> int | None:
        """Return the size of the first packet, None while it is not whole."""
        shown = bytes(self._buffer[: len(MAGIC)])
        if shown != MAGIC[: len(shown)]:
            raise FramingError(f"a message begins with {shown!r}, not {MAGIC!r}")
        if len(self._buffer) < HEADER_BYTES:
            return None
        payload_bytes = SIZES.unpack_from(self._buffer, len(MAGIC))[1]
        if payload_bytes > self._maximum:
            raise FramingError(f"payload of {payload_bytes} bytes, more than {self._maximum}")
        size = HEADER_BYTES + int(payload_bytes)
        return size if len(self._buffer) >= size else None
