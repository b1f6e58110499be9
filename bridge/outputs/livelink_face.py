"""livelink-face://: the Live Link Face ARKit packet, version 6. One datagram is one frame of one
subject.

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
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.link import (
    LARGEST_SUBFRAME,
    MAX_FRAME,
    UdpLink,
    check_frame_time,
    checked_float32,
    device_id,
    subject_fault,
)
from cstalk_bridge.outputs.protocol import (
    FrameTime,
    LinkConfig,
    RigMapName,
    SetupGuide,
    UdpProtocol,
    by_name,
    timed_frame,
)
from cstalk_bridge.outputs.udp import UdpTargets
from cstalk_bridge.rig import ARKIT_TABLE, STOCK_MAP
from cstalk_bridge.rig.curves import ARKIT_CURVES
from cstalk_bridge.system.addresses import is_loopback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from cstalk_bridge.outputs.protocol import LinkSource, OutputServer, StreamFrame
    from cstalk_bridge.outputs.udp import Target
    from cstalk_bridge.timecode.smpte import FrameRate


VERSION = 6
"""The only version which receivers since Unreal 4.25 take."""

VALUE_COUNT = len(ARKIT_CURVES)
"""52 ARKit blend shapes and 9 rotations; receivers drop a packet with any other count."""

MAX_DATAGRAM_BYTES = 774
"""Receive buffer of the strictest receiver known; a longer datagram is silently lost."""

TIME = struct.Struct(">if")
RATE = struct.Struct(">ii")


@dataclass(frozen=True, slots=True, eq=False)
class Packet:
    """A decoded datagram. `values` is float32 [61]; None in a packet without a face."""

    device_id: str
    subject: str
    frame: int
    subframe: float
    rate_numerator: int
    rate_denominator: int
    values: NDArray[np.float32] | None


class LiveLinkFaceEncoder:
    """Packets of one subject: everything that stays the same is put together once.

    ValueError for an invalid subject name (`subject_fault`), or ids so long that the datagram
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
        check_frame_time(frame, subframe)
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
    """Return one datagram; the ValueErrors are those of `LiveLinkFaceEncoder`."""
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
    """Return the string whose length is at `offset`, and the offset after it."""
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
        """Send under another subject name from the next frame on. ValueError for an invalid one."""
        self._encoder = self._encoder.renamed(subject)

    def _encode(self, values: NDArray[np.float32], frame: int, subframe: float) -> list[bytes]:
        return [self._encoder.encode(frame % (MAX_FRAME + 1), subframe, values)]


class LiveLinkFaceConfig(LinkConfig):
    """A link to receivers of Live Link Face packets, as Unreal's ARKit face support."""

    protocol: Literal["livelink-face"] = "livelink-face"
    rigmap: RigMapName = STOCK_MAP


class LiveLinkFaceProtocol(UdpProtocol[LiveLinkFaceConfig]):
    """The protocol of the Live Link Face app for ARKit faces."""

    label = "Live Link Face"
    config = LiveLinkFaceConfig
    default_port = 11111
    table = ARKIT_TABLE
    starts = (bytes([VERSION]),)

    def open(
        self, config: LiveLinkFaceConfig, source: LinkSource, server: OutputServer | None = None
    ) -> LiveLinkFaceLink:
        """Open the link; UserError for a subject name or outputs that a packet cannot carry."""
        problems = []
        if fault := subject_fault(source.subject):
            problems.append(Problem(str(config), fault, "choose another subject name"))
        if source.outputs != ARKIT_CURVES:
            what = (
                f"rig map {config.rigmap!r} has {len(source.outputs)} outputs that are not the "
                f"{VALUE_COUNT} values of a Live Link Face packet in their order"
            )
            remedy = f"use a rig map with target: {ARKIT_TABLE}"
            problems.append(Problem(str(config), what, remedy))
        if problems:
            raise UserError.of(problems)
        encoder = LiveLinkFaceEncoder(device_id(source.subject), source.subject, source.rate)
        targets = UdpTargets(config.targets)
        return LiveLinkFaceLink(str(config), encoder, targets, source.rest)

    def decode(
        self,
        config: LiveLinkFaceConfig,
        source: LinkSource,
        frame: int,
        datagrams: Sequence[bytes],
    ) -> dict[str, float]:
        """Return the values of the packet of a frame by the names of the outputs."""
        (datagram,) = datagrams
        packet = decode(datagram)
        if (packet.subject, packet.frame) != (source.subject, frame) or packet.values is None:
            raise ValueError(f"frame {packet.frame} of {packet.subject!r}, not {frame}")
        return dict(zip(source.outputs, packet.values.tolist(), strict=True))

    def recognise(self, datagram: bytes) -> list[StreamFrame]:
        """Return the frame of a packet, without curves where the device sees no face."""
        packet = decode(datagram)
        time = FrameTime(
            packet.frame, packet.subframe, packet.rate_numerator, packet.rate_denominator
        )
        curves = {} if packet.values is None else by_name(ARKIT_CURVES, packet.values)
        note = "no face" if packet.values is None else ""
        return [
            timed_frame(self.name, packet.subject, time, curves, device=packet.device_id, note=note)
        ]

    def guide(
        self,
        config: LiveLinkFaceConfig,
        target: Target,
        subjects: Sequence[str],
        addresses: Sequence[str],
    ) -> SetupGuide:
        """Return what to click in Unreal."""
        here = "on this machine" if is_loopback(target.host) else f"on {target.host}"
        listed = ", ".join(subjects)
        steps = [
            "Edit > Plugins: enable Live Link and Apple ARKit Face Support, and restart the "
            "editor.",
            "Here: cstalk-bridge run. Leave it running.",
            f"Window > Virtual Production > Live Link: {listed} is listed, with a green dot.",
            "Select the MetaHuman in the level. Details: switch on Use ARKit Face, and choose "
            f"{listed} as ARKit Face Subj (Unreal 5.6 and later: LLink Face Subj).",
            "Press Play. Without it a face moves only if its Blueprint updates it in the editor.",
        ]
        if target.port != self.default_port:
            port = f"Unreal listens at port {self.default_port}; {target.port} must have been set"
            steps.insert(2, f"{port} there.")
        title = f"Unreal 4.25 and later {here}: {self.label}, ARKit, port {target.port}"
        return SetupGuide(title, tuple(steps))

    def receiver_remedy(self, port: int) -> str:
        """Return how to start the receiver that is missing at that port."""
        remedy = "start Unreal with the plugin Apple ARKit Face Support"
        default_hint = f"; its default port is {self.default_port}"
        return remedy if port == self.default_port else remedy + default_hint


LIVELINK_FACE = LiveLinkFaceProtocol()
