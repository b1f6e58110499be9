"""Recognises the protocol of a datagram and decodes it into frames of streams: pure, whatever
the bytes.

OSC is a stream of curves: VMC by its addresses, anything else by its prefix. `/face/jawOpen f`
is the curve `jawOpen` of the subject `/face`; `/W i f`, as Face Cap sends, the curve `W[i]`; a
message with several numbers is as many curves, `HR[0]`, `HR[1]`, ...
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cstalk_bridge.outputs import livelink_face, osc_messages
from cstalk_bridge.outputs.metahuman import frame as metahuman
from cstalk_bridge.outputs.vmc import APPLY, BONE, OK, SHAPE
from cstalk_bridge.rig.curves import load_table
from cstalk_bridge.timecode.smpte import FrameRate, Timecode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.outputs.osc_messages import Argument, Message


MAX_NAME_CHARACTERS = 64
"""Longer names of subjects and curves are cut: they are there to be read in a line."""

MIN_RATE_HZ, MAX_RATE_HZ = 1.0, 1000.0
"""Frame rates of cameras and phones, and then some; beyond them a frame number tells no time."""


@dataclass(frozen=True, slots=True)
class FrameTime:
    """When a frame is to be shown: a frame number, not wrapped at 24 h, and its rate."""

    frame: int
    subframe: float
    numerator: int
    denominator: int

    @property
    def rate_hz(self) -> float:
        """Frames per second."""
        return self.numerator / self.denominator

    @property
    def position(self) -> float:
        """Frames since midnight, with the subframe."""
        return self.frame + self.subframe

    @property
    def seconds(self) -> float:
        """Seconds since midnight."""
        return self.position * self.denominator / self.numerator

    @property
    def is_usable(self) -> bool:
        """Whether the rate is one at which faces are sent."""
        return MIN_RATE_HZ <= self.rate_hz <= MAX_RATE_HZ

    @property
    def label(self) -> str:
        """`hh:mm:ss:ff` without drop-frame, which no packet tells."""
        return Timecode(FrameRate("", self.numerator, self.denominator), self.frame).label


@dataclass(frozen=True, slots=True, eq=False)
class StreamFrame:
    """What a datagram says of one stream.

    `subject` and `device` are empty where the protocol has none. `frames` is how many frames it
    ends; None where a protocol marks no end, so that a frame is over when a curve comes again.
    With a `time` the datagram is a whole frame. `note` is what a user should know of it.
    """

    protocol: str
    subject: str
    device: str = ""
    curves: dict[str, float] = field(default_factory=dict)
    time: FrameTime | None = None
    frames: int | None = None
    note: str = ""


def readable(text: str) -> str:
    """Return the text in a form that harms no terminal: printable, in one line, not too long."""
    cut = text[:MAX_NAME_CHARACTERS]
    return cut if cut.isprintable() else "".join(c if c.isprintable() else "?" for c in cut)


MAX_SUBJECTS = 16
"""Prefixes in one datagram; a face has one."""

VMC_PREFIX = "/VMC/"
HEAD_AXES = ("Head.x", "Head.y", "Head.z")
"""The imaginary parts of the head bone's quaternion: half the sine of its turn."""


def osc_frames(messages: Sequence[Message]) -> list[StreamFrame]:
    """Return a sighting for VMC and one for each prefix; ValueError beyond `MAX_SUBJECTS`."""
    sightings = []
    if vmc := [message for message in messages if message.address.startswith(VMC_PREFIX)]:
        sightings.append(_vmc(vmc))
    subjects: dict[str, dict[str, float]] = {}
    for message in messages:
        if message.address.startswith(VMC_PREFIX):
            continue
        prefix, _, name = message.address.rpartition("/")
        subjects.setdefault(prefix or "/", {}).update(_curves(name, message.arguments))
        if len(subjects) > MAX_SUBJECTS:
            raise ValueError(f"more than {MAX_SUBJECTS} OSC prefixes in one datagram")
    for subject, curves in subjects.items():
        sightings.append(StreamFrame("osc", readable(subject), curves=curves))
    return sightings


def _vmc(messages: Iterable[Message]) -> StreamFrame:
    curves: dict[str, float] = {}
    applied = 0
    note = ""
    for message in messages:
        match message.address, message.arguments:
            case address, (str(name), float(value), *_) if address == SHAPE:
                curves[readable(name)] = value
            case address, (str(), int(), *_) if address == SHAPE:
                note = "a shape's value is an integer, which receivers ignore"
            case address, _ if address == APPLY:
                applied += 1
            case address, ("Head", *pose) if address == BONE and len(pose) >= 7:
                curves |= _numbered(HEAD_AXES, pose[3:6])
            case address, (0, *_) if address == OK:
                note = "the performer has no model loaded"
    return StreamFrame("vmc", "", curves=curves, frames=applied, note=note)


def _curves(name: str, arguments: tuple[Argument, ...]) -> dict[str, float]:
    name = readable(name)
    if not all(_is_number(argument) for argument in arguments):
        return {}
    match arguments:
        case (value,):
            return _numbered([name], [value])
        case (int(index), float(value)):
            return {f"{name}[{index}]": value}
        case _:
            names = [f"{name}[{index}]" for index in range(len(arguments))]
            return _numbered(names, arguments)


def _numbered(names: Sequence[str], values: Sequence[Argument]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in zip(names, values, strict=True)
        if isinstance(value, int | float)
    }


def _is_number(argument: Argument) -> bool:
    return isinstance(argument, int | float) and not isinstance(argument, bool)


LIVELINK_FACE_START = bytes([livelink_face.VERSION])
METAHUMAN_START = metahuman.VERSION.to_bytes(2, "little")
OSC_STARTS = (b"/", b"#bundle\0")


def recognise(datagram: bytes) -> list[StreamFrame]:
    """Return what a datagram says, a sighting for each stream it belongs to.

    ValueError, in words for the user, for what is none of the protocols or breaks its own.
    """
    if datagram.startswith(OSC_STARTS):
        return osc_frames(osc_messages.decode_packet(datagram))
    if datagram.startswith(LIVELINK_FACE_START):
        return [_livelink_face(livelink_face.decode(datagram))]
    if datagram.startswith(METAHUMAN_START):
        return [_metahuman(metahuman.decode(datagram))]
    start = datagram[:4].hex(" ")
    raise ValueError(f"{len(datagram)} bytes of another protocol, they begin with {start or '-'}")


def _livelink_face(packet: livelink_face.Packet) -> StreamFrame:
    names = tuple(curve.name for curve in load_table("livelinkface61").curves)
    return _timed(
        "livelink-face",
        packet.subject,
        packet.device_id,
        FrameTime(packet.frame, packet.subframe, packet.rate_numerator, packet.rate_denominator),
        {} if packet.values is None else _by_name(names, packet.values),
        "no face" if packet.values is None else "",
    )


def _metahuman(frame: metahuman.DeviceFrame) -> StreamFrame:
    names = metahuman.CONTROLS
    if len(frame.values) != len(names):
        # Which controls these are was said over TCP, to Unreal.
        names = tuple(f"control {index}" for index in range(len(frame.values)))
    return _timed(
        "metahuman",
        frame.subject_id,
        "",
        FrameTime(frame.frame, frame.subframe, frame.rate_numerator, frame.rate_denominator),
        _by_name(names, frame.values) | _by_name(metahuman.HEAD_POSE, frame.pose),
        "",
    )


def _timed(
    protocol: str,
    subject: str,
    device: str,
    time: FrameTime,
    curves: dict[str, float],
    note: str,
) -> StreamFrame:
    if not time.is_usable:
        note = f"frame rate {time.numerator}/{time.denominator}"
    known = time if time.is_usable else None
    return StreamFrame(protocol, readable(subject), readable(device), curves, known, 1, note)


def _by_name(names: tuple[str, ...], values: NDArray[Any]) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))
