"""OSC messages as streams of curves: VMC by its addresses, anything else by its prefix.

`/face/jawOpen f` is the curve `jawOpen` of the subject `/face`; `/W i f`, as Face Cap sends, the
curve `W[i]`; a message with several numbers is as many curves, `HR[0]`, `HR[1]`, ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.links.vmc import APPLY, BONE, OK, SHAPE
from bridge.listen.sighting import Sighting, readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bridge.links.osc import Argument, Message

MAX_SUBJECTS = 16
"""Prefixes in one datagram; a face has one."""

VMC_PREFIX = "/VMC/"
HEAD_AXES = ("Head.x", "Head.y", "Head.z")
"""The imaginary parts of the head bone's quaternion: half the sine of its turn."""


def osc_sightings(messages: Sequence[Message]) -> list[Sighting]:
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
        sightings.append(Sighting("osc", readable(subject), curves=curves))
    return sightings


def _vmc(messages: Iterable[Message]) -> Sighting:
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
    return Sighting("vmc", "", curves=curves, frames=applied, note=note)


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
