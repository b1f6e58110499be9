"""Datagrams told apart by what they hold: pure, whatever the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.links import livelink_face, osc
from bridge.links.metahuman import frame as metahuman
from bridge.listen.osc_sightings import osc_sightings
from bridge.listen.sighting import FrameTime, Sighting, readable
from bridge.rig.tables import load_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIVELINK_FACE_START = bytes([livelink_face.VERSION])
METAHUMAN_START = metahuman.VERSION.to_bytes(2, "little")
OSC_STARTS = (b"/", b"#bundle\0")


def recognise(datagram: bytes) -> list[Sighting]:
    """Return what a datagram says, a sighting for each stream it belongs to.

    ValueError, in words for the user, for what is none of the protocols or breaks its own.
    """
    if datagram.startswith(OSC_STARTS):
        return osc_sightings(osc.decode_packet(datagram))
    if datagram.startswith(LIVELINK_FACE_START):
        return [_livelink_face(livelink_face.decode(datagram))]
    if datagram.startswith(METAHUMAN_START):
        return [_metahuman(metahuman.decode(datagram))]
    start = datagram[:4].hex(" ")
    raise ValueError(f"{len(datagram)} bytes of another protocol, they begin with {start or '-'}")


def _livelink_face(packet: livelink_face.Packet) -> Sighting:
    names = tuple(curve.name for curve in load_table("livelinkface61").curves)
    return _timed(
        "livelink-face",
        packet.subject,
        packet.device_id,
        FrameTime(packet.frame, packet.subframe, packet.rate_numerator, packet.rate_denominator),
        {} if packet.values is None else _named(names, packet.values),
        "no face" if packet.values is None else "",
    )


def _metahuman(frame: metahuman.DeviceFrame) -> Sighting:
    names = metahuman.CONTROLS
    if len(frame.values) != len(names):
        # Which controls these are was said over TCP, to Unreal.
        names = tuple(f"control {index}" for index in range(len(frame.values)))
    return _timed(
        "metahuman",
        frame.subject_id,
        "",
        FrameTime(frame.frame, frame.subframe, frame.rate_numerator, frame.rate_denominator),
        _named(names, frame.values) | _named(metahuman.HEAD_POSE, frame.pose),
        "",
    )


def _timed(
    protocol: str,
    subject: str,
    device: str,
    time: FrameTime,
    curves: dict[str, float],
    note: str,
) -> Sighting:
    if not time.is_usable:
        note = f"frame rate {time.numerator}/{time.denominator}"
    known = time if time.is_usable else None
    return Sighting(protocol, readable(subject), readable(device), curves, known, 1, note)


def _named(names: tuple[str, ...], values: NDArray[Any]) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))
