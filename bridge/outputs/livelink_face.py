"""livelink-face://: the Live Link Face ARKit packet, version 6.

One datagram is one frame of one subject.

All fields are big-endian; the layout agrees with eight open decoders and with datagrams of real
devices:

    offset  type     field
    0       u8       version, 6
    1       i32      n, bytes of the device id
    5       n bytes  device id, UTF-8
    5+n     i32      m, bytes of the subject name
    9+n     m bytes  subject name, UTF-8
    9+n+m   i32      frame number: presentation time in frames, does not wrap at 24 h
    13+n+m  f32      subframe, 0 <= subframe < 1
    17+n+m  i32      frame rate numerator
    21+n+m  i32      frame rate denominator
    25+n+m  u8       value count, 61          (a packet without a face ends before this byte)
    26+n+m  61 f32   values: ARKit coefficients 0..1, then head and eye rotations in radians
"""

from __future__ import annotations

import math
import platform
import struct
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.errors import Problem, UserError
from cstalk_bridge.outputs.link import Link, UdpLink, checked_float32
from cstalk_bridge.outputs.udp import UdpTargets
from cstalk_bridge.rig.curves import load_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from cstalk_bridge.outputs.config import LinkConfig
    from cstalk_bridge.outputs.link import Floats
    from cstalk_bridge.timecode.smpte import FrameRate


VERSION = 6
"""The only version which receivers since Unreal 4.25 take."""

VALUE_COUNT = 61
"""52 ARKit blend shapes and 9 rotations; receivers drop a packet with any other count."""

MAX_DATAGRAM_BYTES = 774
"""Receive buffer of the strictest receiver known; a longer datagram is lost without a word."""

MAX_SUBJECT_BYTES = 256
"""Receivers refuse strings of more characters; in bytes it is safe for every script, and keeps the
datagram (270 bytes, a 36-character device id and the name) below `MAX_DATAGRAM_BYTES`."""

MAX_FRAME = 2**31 - 1
"""The largest frame number an i32 holds: 414 days at 60 fps."""

SUBJECTS = uuid.UUID("6c0f1a1e-6ad5-4be1-9a70-3a3ab7ae2e5f")
"""The name space of our device ids."""

LARGEST_SUBFRAME = float(np.nextafter(np.float32(1), np.float32(0)))
TIME = struct.Struct(">if")
RATE = struct.Struct(">ii")


@dataclass(frozen=True, slots=True, eq=False)
class Packet:
    """What a datagram says. `values` is float32 [61]; None in a packet without a face."""

    device_id: str
    subject: str
    frame: int
    subframe: float
    rate_numerator: int
    rate_denominator: int
    values: NDArray[np.float32] | None


def device_id(subject: str, host: str | None = None) -> str:
    """Return the upper-case UUID of that subject on that host (this one by default).

    It is the same at every start, and another for every subject: a receiver that sees one id under
    two names drops the earlier subject.
    """
    return str(uuid.uuid5(SUBJECTS, f"{host or platform.node()}\n{subject}")).upper()


def subject_fault(subject: str) -> str | None:
    """Say what keeps this from being a subject name; None when it is one."""
    if not subject.strip() or not subject.isprintable():
        return f"subject name {subject!r} is empty or holds characters that cannot be printed"
    size = len(subject.encode("utf-8"))
    if size > MAX_SUBJECT_BYTES:
        return f"subject name of {size} bytes in UTF-8, at most {MAX_SUBJECT_BYTES} are possible"
    return None


class LiveLinkFaceEncoder:
    """Packets of one subject: everything that stays the same is put together once.

    ValueError for a subject name that is none (`subject_fault`), or ids so long that the datagram
    exceeds `MAX_DATAGRAM_BYTES`.
    """

    def __init__(self, device_id: str, subject: str, rate: FrameRate) -> None:
        if fault := subject_fault(subject):
            raise ValueError(fault)
        strings = (device_id.encode("utf-8"), subject.encode("utf-8"))
        self.device_id = device_id
        self.subject = subject
        self.rate = rate
        self._head = bytes([VERSION]) + b"".join(
            struct.pack(">i", len(string)) + string for string in strings
        )
        self._rate = RATE.pack(rate.numerator, rate.denominator)
        size = len(self._head) + TIME.size + len(self._rate) + 1 + 4 * VALUE_COUNT
        if size > MAX_DATAGRAM_BYTES:
            raise ValueError(f"datagrams of {size} bytes, at most {MAX_DATAGRAM_BYTES} arrive")

    def renamed(self, subject: str) -> LiveLinkFaceEncoder:
        """Return the encoder of the same device and another subject; receivers then drop this."""
        return LiveLinkFaceEncoder(self.device_id, subject, self.rate)

    def encode(self, frame: int, subframe: float, values: ArrayLike | None) -> bytes:
        """Return the datagram of a frame; `values` [61], None for a packet without a face.

        ValueError before any byte is made: frame beyond 0..`MAX_FRAME`, subframe beyond 0..1, a
        value that is not finite, another number of values.
        """
        if not 0 <= frame <= MAX_FRAME:
            raise ValueError(f"frame {frame} is not within 0..{MAX_FRAME}")
        if not 0.0 <= subframe < 1.0:
            raise ValueError(f"subframe {subframe} is not within 0..1")
        # Rounded to float32, 0.99999999 would be 1.
        time = TIME.pack(frame, min(subframe, LARGEST_SUBFRAME))
        if values is None:
            return self._head + time + self._rate
        face = checked_float32(values, VALUE_COUNT).astype(">f4").tobytes()
        return self._head + time + self._rate + bytes([VALUE_COUNT]) + face


def encode(
    device_id: str,
    subject: str,
    frame: int,
    subframe: float,
    rate: FrameRate,
    values: ArrayLike | None,
) -> bytes:
    """Return one datagram; the ValueErrors are those of `Encoder`."""
    return LiveLinkFaceEncoder(device_id, subject, rate).encode(frame, subframe, values)


def decode(datagram: bytes) -> Packet:
    """Read a datagram of version 6.

    ValueError, with the offending number, for another version, a length that is not what the fields
    say, more than `MAX_DATAGRAM_BYTES`, strings that are not UTF-8, a subframe outside [0, 1), a
    rate that is not positive, another value count, and values that are not finite.
    """
    if len(datagram) > MAX_DATAGRAM_BYTES:
        raise ValueError(f"{len(datagram)} bytes, more than {MAX_DATAGRAM_BYTES}")
    if not datagram or datagram[0] != VERSION:
        raise ValueError(f"version {datagram[0] if datagram else 'missing'}, not {VERSION}")
    identity, offset = _string(datagram, 1)
    subject, offset = _string(datagram, offset)
    end = offset + TIME.size + RATE.size
    if len(datagram) < end:
        raise ValueError(f"{len(datagram)} bytes, too short for a frame time at {offset}")
    frame, subframe = TIME.unpack_from(datagram, offset)
    numerator, denominator = RATE.unpack_from(datagram, offset + TIME.size)
    if not (math.isfinite(subframe) and 0.0 <= subframe < 1.0):
        raise ValueError(f"subframe {subframe} is not within 0..1")
    if numerator <= 0 or denominator <= 0:
        raise ValueError(f"frame rate {numerator}/{denominator} is not positive")
    values = _values(datagram[end:]) if len(datagram) > end else None
    return Packet(identity, subject, frame, subframe, numerator, denominator, values)


def _values(face: bytes) -> NDArray[np.float32]:
    if face[0] != VALUE_COUNT or len(face) != 1 + 4 * VALUE_COUNT:
        raise ValueError(f"{face[0]} values in {len(face) - 1} bytes, not {VALUE_COUNT} float32")
    return checked_float32(np.frombuffer(face, dtype=">f4", offset=1), VALUE_COUNT)


def _string(datagram: bytes, offset: int) -> tuple[str, int]:
    """Return the string whose length stands at `offset`, and the offset behind it."""
    start = offset + 4
    if start > len(datagram):
        raise ValueError(f"{len(datagram)} bytes, too short for a string length at {offset}")
    size = struct.unpack_from(">i", datagram, offset)[0]
    if not 0 <= size <= len(datagram) - start:
        raise ValueError(f"string of {size} bytes at {start} of {len(datagram)}")
    try:
        return datagram[start : start + size].decode("utf-8"), start + size
    except UnicodeDecodeError as error:
        raise ValueError(f"string at {start} is not UTF-8: {error.reason}") from None


class LiveLinkFaceLink(UdpLink):
    """Live Link Face packets of one subject; values [61] in the packet's order.

    Frame numbers begin again at 0 after `MAX_FRAME`.
    """

    def __init__(
        self,
        name: str,
        encoder: LiveLinkFaceEncoder,
        targets: UdpTargets,
        rest: NDArray[np.float32] | None = None,
    ) -> None:
        super().__init__(name, VALUE_COUNT, targets, rest)
        self._encoder = encoder

    @property
    def subject(self) -> str:
        """The subject's name in Unreal."""
        return self._encoder.subject

    def rename(self, subject: str) -> None:
        """Send under another subject name from the next frame on. ValueError where it is none."""
        self._encoder = self._encoder.renamed(subject)

    def _encode(self, values: NDArray[np.float32], frame: int, subframe: float) -> list[bytes]:
        return [self._encoder.encode(frame % (MAX_FRAME + 1), subframe, values)]


PACKET_TABLE = "livelinkface61"
"""The rig table whose curves are the values of a Live Link Face packet, in packet order."""


def open_livelink_face(
    spec: LinkConfig,
    subject_name: str,
    outputs: Sequence[str],
    rate: FrameRate,
    rest: Floats | None,
) -> Link:
    """Open the link of `livelink-face://` to the targets of `spec`."""
    problems = []
    if fault := subject_fault(subject_name):
        problems.append(Problem(str(spec), fault, "choose another subject name"))
    if tuple(outputs) != (names := tuple(c.name for c in load_table(PACKET_TABLE).curves)):
        what = (
            f"rig map {spec.rigmap!r} has {len(outputs)} outputs that are not the {len(names)} "
            "values of a Live Link Face packet in their order"
        )
        problems.append(Problem(str(spec), what, f"use a rig map with target: {PACKET_TABLE}"))
    if problems:
        raise UserError.of(problems)
    encoder = LiveLinkFaceEncoder(device_id(subject_name), subject_name, rate)
    return LiveLinkFaceLink(str(spec), encoder, UdpTargets(spec.targets), rest)
