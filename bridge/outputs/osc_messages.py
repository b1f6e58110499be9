"""Open Sound Control 1.0: an encoder of messages and bundles, and a bounded decoder of packets.

Layout (OSC 1.0 specification): big-endian; strings end with NUL and are padded to 4 bytes. A
bundle is `#bundle\\0`, a 64-bit time tag, then elements of `size:i32, message`; a message is
`address, type tags, arguments`. Bundles that are sent fit a datagram. Unreal separates floats from
integers and fails on the wrong one, so all that changes with a frame is `f`.

python-osc builds the messages and reads the numbers. The walk over a packet is ours, because a
packet is hostile: python-osc reads a truncated float, skips unknown types without their bytes,
ignores what follows the last argument, and does not bound the nesting of bundles. So is the
template of a frame's bundles: 251 curves take 5 microseconds to encode, and 5200 with python-osc's
builders, a third of a tick at 60 fps.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from pythonosc.osc_message_builder import BuildError, OscMessageBuilder
from pythonosc.parsing import osc_types

from cstalk_bridge.outputs.link import checked_float32

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    NumberReader = Callable[[bytes, int], tuple[float, int]]


MAX_DATAGRAM_BYTES = 65507
"""Largest datagram UDP over IPv4 can carry, hence the largest that is decoded."""

MAX_DEPTH = 8
"""Bundles within bundles that are decoded."""

BUNDLE = b"#bundle\0"
OSC_STARTS = (b"/", BUNDLE)
"""How a packet begins: with a message or a bundle."""

VMC_ADDRESSES = "/VMC/"
"""How the addresses of the VMC protocol begin, which is OSC with names of its own."""

PART = re.compile(r"/[^\x00-\x20#*,/?\[\]{}\x7f-\U0010ffff]+")
"""One part of an address: printable ASCII but for what OSC patterns use."""

Argument = int | float | str | bytes | bool | None


NUMBERS: dict[str, tuple[int, NumberReader]] = {
    "i": (4, osc_types.get_int),
    "f": (4, osc_types.get_float),
    "h": (8, osc_types.get_int64),
    "d": (8, osc_types.get_double),
    "t": (8, osc_types.get_uint64),
}
"""Arguments that are numbers, by type tag: their bytes, and what reads them."""

TAGS = {str: "s", int: "i", float: "f"}
"""Type tags of the arguments that are sent."""

CONSTANTS: dict[str, Argument] = {"T": True, "F": False, "N": None, "I": True}
"""Arguments whose type tag is their value."""


SKIPPED = {"r": 4, "c": 4, "m": 4, "[": 0, "]": 0}
"""Bytes of what is skipped: a colour, a character, a MIDI message; brackets of an array."""


@dataclass(frozen=True, slots=True)
class Message:
    """One OSC message; a time tag argument is its 64-bit integer, `I` (impulse) is True."""

    address: str
    arguments: tuple[Argument, ...]


def address_fault(address: str) -> str | None:
    """Return what keeps this from being an OSC address such as `/face/jawOpen`; None when it is."""
    if re.fullmatch(f"(?:{PART.pattern})+", address):
        return None
    return (
        f"{address!r} is not an OSC address: parts of printable ASCII, each after a '/', "
        "without space and # * , ? [ ] { }"
    )


def encode_message(address: str, *arguments: str | int | float) -> bytes:
    """Return the message with a string, an i32 or an f32 for each argument, by its type.

    ValueError: no OSC address, a string that holds NUL, a number which i32 or f32 cannot hold.
    """
    if fault := address_fault(address):
        raise ValueError(fault)
    builder = OscMessageBuilder(address)
    for argument in arguments:
        if isinstance(argument, str) and "\0" in argument:
            raise ValueError(f"string {argument[:40]!r} holds NUL")
        builder.add_arg(argument, TAGS[type(argument)])
    try:
        return builder.build().dgram
    except (BuildError, OverflowError):
        raise ValueError(f"a number of {arguments} does not fit 32 bits") from None


def decode_packet(datagram: bytes) -> list[Message]:
    """Return the messages of a datagram in order, those of nested bundles in their place.

    Time tags are skipped. ValueError, with the offending number, for anything that is not OSC
    1.0, for more than `MAX_DATAGRAM_BYTES`, `MAX_DEPTH` bundles deep, and floats that are not
    finite. Argument types: i f s b h d t T F N I; arguments r S c m are skipped, and arrays count
    as what is in them. A message may end without type tags, as those of old encoders, and then has
    no arguments.
    """
    if len(datagram) > MAX_DATAGRAM_BYTES:
        raise ValueError(f"{len(datagram)} bytes, more than {MAX_DATAGRAM_BYTES}")
    return list(_messages(datagram, depth=0))


@lru_cache(maxsize=1)
def packet_messages(datagram: bytes) -> tuple[Message, ...]:
    """Return `decode_packet`, once for all protocols over OSC that look at the same datagram."""
    return tuple(decode_packet(datagram))


def numbered(names: Sequence[str], values: Sequence[Argument]) -> dict[str, float]:
    """Return the values that are numbers by their names; ValueError for another count."""
    return {
        name: float(value)
        for name, value in zip(names, values, strict=True)
        if isinstance(value, int | float)
    }


def name_and_float(arguments: tuple[Argument, ...]) -> tuple[str, float]:
    """Return arguments that are a name and a float; ValueError for any others."""
    match arguments:
        case (str(name), float(value)):
            return name, value
    raise ValueError(f"arguments {arguments!r} are not a name and a float")


def _messages(packet: bytes, depth: int) -> Iterator[Message]:
    if not packet.startswith(BUNDLE):
        yield _message(packet)
        return
    if depth == MAX_DEPTH:
        raise ValueError(f"bundles nest deeper than {MAX_DEPTH}")
    reader = _Reader(packet, offset=len(BUNDLE))
    reader.take(8)
    while not reader.at_end:
        size = reader.integer()
        if size < 0 or size % 4:
            raise ValueError(f"bundle element of {size} bytes")
        yield from _messages(reader.take(size), depth + 1)


def _message(packet: bytes) -> Message:
    reader = _Reader(packet)
    address = reader.string()
    if not address.startswith("/"):
        raise ValueError(f"address {address[:40]!r} does not start with '/'")
    if reader.at_end:
        return Message(address, ())
    tags = reader.string()
    if not tags.startswith(","):
        raise ValueError(f"type tags {tags[:40]!r} do not start with ','")
    arguments = tuple(reader.argument(tag) for tag in tags[1:] if not reader.skips(tag))
    if not reader.at_end:
        raise ValueError(f"{len(packet) - reader.offset} bytes after the last argument")
    return Message(address, arguments)


class _Reader:
    """A place in a packet that never reads past its end."""

    def __init__(self, packet: bytes, offset: int = 0) -> None:
        self._packet = packet
        self.offset = offset

    @property
    def at_end(self) -> bool:
        return self.offset == len(self._packet)

    def take(self, size: int) -> bytes:
        end = self.offset + size
        if size < 0 or end > len(self._packet):
            raise ValueError(f"{size} bytes at {self.offset} of {len(self._packet)}")
        part = self._packet[self.offset : end]
        self.offset = end
        return part

    def integer(self) -> int:
        return osc_types.get_int(self.take(4), 0)[0]

    def number(self, tag: str) -> float:
        size, read = NUMBERS[tag]
        value, _ = read(self.take(size), 0)
        if not math.isfinite(value):
            raise ValueError(f"number {value} at {self.offset}")
        return value

    def string(self) -> str:
        end = self._packet.find(b"\0", self.offset)
        if end < 0:
            raise ValueError(f"string at {self.offset} has no end")
        length = end - self.offset
        raw = self.take(length // 4 * 4 + 4)
        if any(raw[length:]):
            raise ValueError(f"string at {end - length} is not padded with NUL")
        return raw[:length].decode("utf-8")

    def skips(self, tag: str) -> bool:
        """Skip an argument type that is not decoded; return whether it was one."""
        if tag == "S":
            self.string()
        elif tag in SKIPPED:
            self.take(SKIPPED[tag])
        return tag == "S" or tag in SKIPPED

    def argument(self, tag: str) -> Argument:
        if tag in NUMBERS:
            return self.number(tag)
        if tag in CONSTANTS:
            return CONSTANTS[tag]
        if tag == "s":
            return self.string()
        if tag == "b":
            size = self.integer()
            if size < 0:
                raise ValueError(f"blob of {size} bytes")
            return self.take(size + -size % 4)[:size]
        raise ValueError(f"argument type {tag!r}")


MAX_BUNDLE_BYTES = 1400
"""Largest datagram we send: an Ethernet frame carries 1472 bytes of UDP, VPNs take some of them."""

IMMEDIATELY = struct.pack(">Q", 1)
"""Time tag of every bundle: Unreal ignores it."""

HEADER = BUNDLE + IMMEDIATELY


class PatchedBundles:
    """Messages laid into bundles once, whose trailing floats are written anew for each frame.

    `messages` are encoded messages, each with how many floats at its end change. They keep their
    order and fill bundles of at most `MAX_BUNDLE_BYTES`. ValueError: no message, or one that no
    bundle can hold.
    """

    def __init__(self, messages: Sequence[tuple[bytes, int]]) -> None:
        if not messages:
            raise ValueError("a bundle needs at least one OSC message")
        content = bytearray()
        starts: list[int] = []
        places: list[int] = []
        for message, floats in messages:
            element = struct.pack(">i", len(message)) + message
            if len(HEADER) + len(element) > MAX_BUNDLE_BYTES:
                raise ValueError(
                    f"OSC message of {len(message)} bytes: no {MAX_BUNDLE_BYTES} B bundle"
                )
            if not starts or len(content) - starts[-1] + len(element) > MAX_BUNDLE_BYTES:
                starts.append(len(content))
                content += HEADER
            content += element
            places += range(len(content) // 4 - floats, len(content) // 4)
        self._words = np.frombuffer(bytes(content), dtype=">f4")
        self._places = np.array(places, dtype=np.intp)
        self._spans = tuple(zip(starts, [*starts[1:], len(content)], strict=True))

    def encode(self, values: NDArray[np.float32]) -> list[bytes]:
        """Return the datagrams that carry `values`, those of the first message first.

        ValueError before any byte is made: wrong shape, or a value that is not finite as float32.
        """
        words = self._words.copy()
        words[self._places] = checked_float32(values, len(self._places))
        content = words.tobytes()
        return [content[start:end] for start, end in self._spans]


class BundleTemplate(PatchedBundles):
    """The bundles that carry one float for each address; `encode` takes values [addresses].

    ValueError: no address, one twice, an invalid one, or one that no bundle can hold.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        self.addresses = tuple(addresses)
        if len(set(self.addresses)) != len(self.addresses):
            raise ValueError("an OSC address appears twice")
        super().__init__([(encode_message(address, 0.0), 1) for address in self.addresses])
