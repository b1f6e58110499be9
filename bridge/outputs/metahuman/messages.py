"""Control messages on TCP: framed, read from and written to JSON, each with its limits.

A payload follows a header with its size. Little-endian: the 11 bytes `CPSCONTROL\\0`,
u16 version, u32 payload bytes, then the payload:

    {"sessionId", "addressPath", "transactionId", "timestamp" in ms since 1970,
     "type": "request" | "response" | "update", "body"?, "error"? {"name", "description"}}

A response without a result has no body at all. The transaction id is a u32 in requests, responses
and updates: Unreal drops a message with any other, without a word.
"""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


MAGIC = b"CPSCONTROL\0"
SIZES = struct.Struct("<HI")
HEADER_BYTES = len(MAGIC) + SIZES.size

DEFAULT_VERSION = 1
"""The version of messages until the client has sent one; afterwards the client's is used."""

MAX_PAYLOAD_BYTES = 1 << 16
"""Largest payload that is accepted; a request has a few hundred bytes."""


class FramingError(ValueError):
    """The stream is of another protocol: the start of its next message cannot be known."""


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


HANDSHAKE = "handshake"
"""The session id of a request that asks for a session."""

MAX_NAME = 256
"""Characters of an id, a path or a name."""

MAX_DESCRIPTION = 500
"""Characters of the description of an error."""

MAX_TRANSACTION = 2**32 - 1

UNKNOWN_TRANSACTION = 0
"""The transaction id of the response to a message that cannot be read."""

Name = Annotated[str, Field(max_length=MAX_NAME)]


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("Input should be a number")  # noqa: TRY004 - pydantic takes this one
    return value


Transaction = Annotated[int, BeforeValidator(_number), Field(ge=0, le=MAX_TRANSACTION)]


class ErrorName(StrEnum):
    """What a response can say went wrong."""

    UNSUPPORTED_VERSION = "unsupportedProtocolVersion"
    FAILED = "requestFailed"
    PARSING_FAILED = "parsingRequestFailed"
    NOT_SUPPORTED = "notSupported"
    NO_SESSION = "noSession"
    MISSING_BODY = "missingBody"


class DeviceRequestError(Exception):
    """A request whose response is an error."""

    def __init__(self, name: ErrorName, description: str) -> None:
        super().__init__(description)
        self.name = name
        self.description = description[:MAX_DESCRIPTION]


class Incoming(BaseModel):
    """A message as it came; keys beyond these are ignored, the time stamp among them."""

    # Every session and transaction has its own id: kept for later, they grow to megabytes.
    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, cache_strings="none"
    )

    session_id: Name = ""
    address_path: Name
    transaction_id: Transaction
    type: Literal["request", "response", "update"]
    body: dict[str, Any] | None = None


class MalformedError(DeviceRequestError):
    """No message of this protocol; `read` is as much of it as a response needs."""

    def __init__(self, description: str, read: Incoming) -> None:
        super().__init__(ErrorName.PARSING_FAILED, description)
        self.read = read


def read_message(payload: bytes) -> Incoming:
    """Read a payload. MalformedError for one that is not JSON or UTF-8, or lacks a field."""
    try:
        return Incoming.model_validate_json(payload)
    except ValidationError as error:
        raise MalformedError(faults_of(error), _salvaged(payload)) from None


def faults_of(error: ValidationError) -> str:
    """Say in one line what does not fit, as `streamPort: Input should be ...`."""
    faults = (
        f"{'.'.join(map(str, fault['loc'])) or 'message'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    )
    return "; ".join(faults)[:MAX_DESCRIPTION]


def response(request: Incoming, wall_ms: int, body: Mapping[str, Any] | None = None) -> bytes:
    """Return the response to a request, with a body where there is a result."""
    return _written(_head(request, wall_ms) | ({} if body is None else {"body": body}))


def error_response(request: Incoming, wall_ms: int, refusal: DeviceRequestError) -> bytes:
    """Return the response to a request that is refused."""
    error = {"name": refusal.name.value, "description": refusal.description}
    return _written(_head(request, wall_ms) | {"error": error})


def update(
    session_id: str,
    path: str,
    transaction_id: int,
    wall_ms: int,
    body: Mapping[str, Any] | None = None,
) -> bytes:
    """Return an update: something that the other side did not ask for.

    `transaction_id` is chosen by the sender, 0 to `MAX_TRANSACTION`.
    """
    message = {
        "sessionId": session_id,
        "addressPath": path,
        "transactionId": transaction_id,
        "timestamp": wall_ms,
        "type": "update",
    }
    return _written(message | ({} if body is None else {"body": body}))


def _salvaged(payload: bytes) -> Incoming:
    """Return what the other side needs to know its own message again, as far as it is there."""
    known: dict[str, Any] = {
        "addressPath": "",
        "transactionId": UNKNOWN_TRANSACTION,
        "type": "request",
    }
    with suppress(ValueError):
        data = from_json(payload, cache_strings="none")
        for key in ("sessionId", "addressPath", "transactionId"):
            with suppress(ValueError, TypeError, KeyError):
                Incoming.model_validate(known | {key: data[key]})
                known[key] = data[key]
    return Incoming.model_validate(known)


def _head(request: Incoming, wall_ms: int) -> dict[str, Any]:
    return {
        "sessionId": request.session_id,
        "addressPath": request.address_path,
        "transactionId": request.transaction_id,
        "timestamp": wall_ms,
        "type": "response",
    }


def _written(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


MAX_SUBJECTS = 64
"""Subjects named in one request."""

MAX_TAKES = 4096
"""Takes named in one request."""

MAX_TAKE_NUMBER = 2**31 - 1

Body = TypeVar("Body", bound="_Body")


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)

    @classmethod
    def of(cls: type[Body], body: dict[str, Any] | None) -> Body:
        """Read the body of a request. DeviceRequestError: it is missing, or does not fit."""
        if body is None:
            raise DeviceRequestError(ErrorName.MISSING_BODY, "this request needs a body")
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            raise DeviceRequestError(ErrorName.PARSING_FAILED, faults_of(error)) from None


class NamedSubject(_Body):
    """A subject as the other side names it. Only the id counts: the name may be its own."""

    id: Name


class StreamStartRequest(_Body):
    """Where frames are to go: a UDP port of the host that asks. No subjects means all."""

    stream_port: int = Field(ge=1, le=65535)
    subjects: tuple[NamedSubject, ...] = Field(default=(), max_length=MAX_SUBJECTS)


class StreamStopRequest(_Body):
    """Which frames to stop. No ids means all."""

    subject_ids: tuple[Name, ...] = Field(default=(), max_length=MAX_SUBJECTS)


class TakeNamesRequest(_Body):
    """Which takes are asked about. No names means none."""

    names: tuple[Name, ...] = Field(default=(), max_length=MAX_TAKES)


class TakeStartRequest(_Body):
    """A take to be recorded, as on a clapperboard. Its other fields are ignored."""

    slate_name: Name = Field(min_length=1)
    take_number: int = Field(ge=0, le=MAX_TAKE_NUMBER)
