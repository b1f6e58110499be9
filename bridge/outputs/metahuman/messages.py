"""The wire formats of a MetaHuman device: control messages in JSON over TCP, and frames over UDP.

Control: a payload follows a header with its size. Little-endian: the 11 bytes `CPSCONTROL\0`,
u16 version, u32 payload bytes, then the payload:

    {"sessionId", "addressPath", "transactionId", "timestamp" in ms since 1970,
     "type": "request" | "response" | "update", "body"?, "error"? {"name", "description"}}

A response without a result has no body at all. The transaction id is a u32 in requests, responses
and updates: Unreal silently drops a message with any other.

Frames: all fields are little-endian. 251 controls and an id of 36 characters make 584 bytes:

    offset    type     field
    0         u16      version, 1
    2         u16      n, bytes of the subject id
    4         n bytes  subject id, UTF-8
    4+n       i32      frame number: presentation time in frames, does not wrap at 24 h
    8+n       f32      subframe, 0 <= subframe < 1
    12+n      i32      frame rate numerator
    16+n      i32      frame rate denominator
    20+n      u16      k, controls
    22+n      k u16    values 0..1, times 65535
    22+n+2k   6 f32    head pose, in the order of `HEAD_POSE`
"""

from __future__ import annotations

import json
import math
import struct
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from cstalk_bridge.outputs.link import LARGEST_SUBFRAME, check_frame_time, checked_float32
from cstalk_bridge.rig.curves import load_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import ArrayLike, NDArray

    from cstalk_bridge.timecode.smpte import FrameRate


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
    """The errors that a response can report."""

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
    """Return in one line what does not fit, as `streamPort: Input should be ...`."""
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


VERSION = 1

_CURVES = [curve for curve in load_table("metahuman").curves if curve.region != "head"]

CONTROLS: tuple[str, ...] = tuple(curve.name for curve in _CURVES)
"""The controls that the bridge sends for every subject, in wire order: all raw curves, whatever a
rig map moves.

`CTRL_expressions_mouthUp` must be among them: by its presence Unreal's Blueprint knows that the
curves are a MetaHuman's own."""

REST: NDArray[np.float32] = np.array([curve.rest for curve in _CURVES], dtype=np.float32)
"""The controls of a face at rest, [controls]."""

HEAD_POSE = (
    "HeadRoll",
    "HeadPitch",
    "HeadYaw",
    "HeadTranslationX",
    "HeadTranslationY",
    "HeadTranslationZ",
)
"""Rotation in degrees in the axes of the head bone, translation in centimetres, by the names which
Unreal gives them; it passes the rotation on as it is."""

FULL_SCALE = 65535
"""What 1.0 is on the wire."""

MAX_ID_BYTES = 256
"""Longest subject id that is read or written; those of the bridge have 36."""

MAX_CONTROLS = 1024
"""Most controls that are read; a MetaHuman has 251."""

MAX_DATAGRAM_BYTES = 4 + MAX_ID_BYTES + 18 + 2 * MAX_CONTROLS + 4 * len(HEAD_POSE)

TIME = struct.Struct("<if")
RATE_AND_COUNT = struct.Struct("<iiH")


@dataclass(frozen=True, slots=True, eq=False)
class DeviceFrame:
    """A decoded datagram. `values` is float32 [controls], 0..1; `pose` float32 [6]."""

    subject_id: str
    frame: int
    subframe: float
    rate_numerator: int
    rate_denominator: int
    values: NDArray[np.float32]
    pose: NDArray[np.float32]


class FrameEncoder:
    """Datagrams of one subject: everything that stays the same is put together once.

    ValueError for an id that is empty or beyond `MAX_ID_BYTES`, and for more than `MAX_CONTROLS`.
    """

    def __init__(self, subject_id: str, rate: FrameRate, controls: int = len(CONTROLS)) -> None:
        identity = subject_id.encode("utf-8")
        if not 0 < len(identity) <= MAX_ID_BYTES:
            raise ValueError(f"subject id of {len(identity)} bytes, not 1..{MAX_ID_BYTES}")
        if not 0 < controls <= MAX_CONTROLS:
            raise ValueError(f"{controls} controls, not 1..{MAX_CONTROLS}")
        self._controls = controls
        self._head = struct.pack("<HH", VERSION, len(identity)) + identity
        self._rate = RATE_AND_COUNT.pack(rate.numerator, rate.denominator, controls)

    def encode(self, frame: int, subframe: float, values: ArrayLike, pose: ArrayLike) -> bytes:
        """Return the datagram of a frame; `values` [controls] end at 0 and 1, `pose` is [6].

        ValueError before any byte is made: frame beyond 0..`MAX_FRAME`, subframe beyond 0..1, a
        value that is not finite, another number of values.
        """
        check_frame_time(frame, subframe)
        face = np.clip(checked_float32(values, self._controls), 0.0, 1.0) * np.float32(FULL_SCALE)
        head = checked_float32(pose, len(HEAD_POSE))
        time = TIME.pack(frame, min(subframe, LARGEST_SUBFRAME))
        steps = np.rint(face).astype("<u2").tobytes()
        return b"".join((self._head, time, self._rate, steps, head.astype("<f4").tobytes()))


def decode(datagram: bytes) -> DeviceFrame:
    """Read a datagram.

    ValueError, with the offending number, for another version, a length that is not what the fields
    say, more than `MAX_DATAGRAM_BYTES`, an id that is empty, too long or not UTF-8, a subframe
    outside [0, 1), a rate that is not positive, and a pose that is not finite.
    """
    size = len(datagram)
    if not 4 <= size <= MAX_DATAGRAM_BYTES:
        raise ValueError(f"{size} bytes, not 4..{MAX_DATAGRAM_BYTES}")
    version, id_bytes = struct.unpack_from("<HH", datagram)
    if version != VERSION:
        raise ValueError(f"version {version}, not {VERSION}")
    offset = 4 + id_bytes
    end = offset + TIME.size + RATE_AND_COUNT.size
    if not 0 < id_bytes <= MAX_ID_BYTES or size < end:
        raise ValueError(f"subject id of {id_bytes} bytes in a datagram of {size}")
    frame, subframe = TIME.unpack_from(datagram, offset)
    numerator, denominator, count = RATE_AND_COUNT.unpack_from(datagram, offset + TIME.size)
    if not (math.isfinite(subframe) and 0.0 <= subframe < 1.0):
        raise ValueError(f"subframe {subframe} is not within 0..1")
    if numerator <= 0 or denominator <= 0:
        raise ValueError(f"frame rate {numerator}/{denominator} is not positive")
    if size != end + 2 * count + 4 * len(HEAD_POSE):
        raise ValueError(f"{count} controls and a head pose in {size - end} bytes")
    steps = np.frombuffer(datagram, dtype="<u2", count=count, offset=end)
    pose = np.frombuffer(datagram, dtype="<f4", offset=end + 2 * count)
    return DeviceFrame(
        _text(datagram[4:offset]),
        frame,
        subframe,
        numerator,
        denominator,
        steps.astype(np.float32) / np.float32(FULL_SCALE),
        checked_float32(pose, len(HEAD_POSE)),
    )


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"subject id is not UTF-8: {error.reason}") from None
