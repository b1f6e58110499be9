"""A MetaHuman device: its identity, subjects and their receivers, recorder and access list; and its
discovery on the local network.

Discovery datagrams:

    offset  type      field
    0       12 bytes  CPSDISCOVER\0
    12      u16       version, 2
    14      u8        type: 0 request, 1 response, 2 notice

A response continues with 16 bytes server id, u8 length of the name, the name in UTF-8, u16 control
port; a notice with the same and a u8 connection state. Little-endian. The numbers of types and
states, and the receiver of a response, are guesses that were never tried with an editor.
"""

from __future__ import annotations

import asyncio
import platform
import socket
import struct
import sys
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.link import device_id
from cstalk_bridge.outputs.metahuman.messages import CONTROLS
from cstalk_bridge.system.addresses import is_within
from cstalk_bridge.system.process import PROGRAM_NAME, program_version

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from cstalk_bridge.outputs.protocol import Recorder
    from cstalk_bridge.system.addresses import IpNetwork, SocketAddress


@dataclass(frozen=True, slots=True)
class AccessRules:
    """This machine and those of `allow` may connect: clients can start takes of voices.

    Where it `is_discoverable` the device responds to searches on the local network.
    """

    allow: tuple[IpNetwork, ...] = ()
    is_discoverable: bool = False

    def is_allowed(self, host: str) -> bool:
        """Whether that IP address may connect."""
        return is_within(host, self.allow)


DEFAULT_PORT = 14785
"""Where Unreal looks for a device when it is given a host alone."""

PLATFORMS = {"linux": "linux", "darwin": "macOS", "win32": "windows"}
"""Names which the protocol has for systems, by `sys.platform`."""

ANIMATION_TYPE = "mha"
"""The kind of curves: a MetaHuman's own, not ARKit's."""

ANIMATION_VERSION = 1


class Feed:
    """One subject of a device, and the addresses that get its frames.

    All belongs to the device's thread, but `addresses` may be read from any.
    """

    def __init__(self, name: str, subject_id: str | None = None) -> None:
        self.name = name
        self.id = subject_id or device_id(name)
        self.addresses: tuple[SocketAddress, ...] = ()
        """Socket addresses, each once; replaced as a whole."""
        self._by_client: dict[Hashable, SocketAddress] = {}

    def add(self, client: Hashable, address: SocketAddress) -> None:
        """Send frames to an address of a client from now on, instead of its last one."""
        self._by_client[client] = address
        self._publish()

    def remove(self, client: Hashable) -> None:
        """Send no frames for that client any more."""
        if self._by_client.pop(client, None) is not None:
            self._publish()

    def serves(self, client: Hashable) -> bool:
        """Whether that client gets frames."""
        return client in self._by_client

    def _publish(self) -> None:
        self.addresses = tuple(dict.fromkeys(self._by_client.values()))

    def description(self) -> dict[str, Any]:
        """Return the subject as the protocol describes it."""
        metadata = {
            "type": ANIMATION_TYPE,
            "version": ANIMATION_VERSION,
            "controls": list(CONTROLS),
        }
        return {"id": self.id, "name": self.name, "animationMetadata": metadata}


@dataclass(slots=True)
class DeviceCounters:
    """Connections and requests of a device. Written by its thread."""

    clients: int = 0
    """Clients that were accepted."""
    rejected: int = 0
    """Clients beyond the limits, or not allowed."""
    requests: int = 0
    failed: int = 0
    """Requests whose response was an error."""
    malformed: int = 0
    """Connections of another protocol, or too slow, that were closed."""


@dataclass(eq=False)
class Device:
    """One device: `name` is what Unreal shows of it. Subjects may be added at any time."""

    name: str = ""
    recorder: Recorder | None = None
    counters: DeviceCounters = field(default_factory=DeviceCounters)

    def __post_init__(self) -> None:
        self.name = self.name or f"{PROGRAM_NAME} {platform.node()}".strip()
        self.id = device_id(f"{PROGRAM_NAME} device {self.name}")
        self._version = program_version()
        self._feeds: dict[str, Feed] = {}
        self._adding = threading.Lock()

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """All subjects, in the order in which they were added."""
        return tuple(self._feeds.values())

    def feed(self, subject_id: str) -> Feed | None:
        """Return the subject of that id."""
        return self._feeds.get(subject_id)

    def add(self, name: str) -> Feed:
        """Add a subject. UserError where it has one of that name."""
        feed = Feed(name)
        with self._adding:
            if feed.id in self._feeds:
                what = f"the MetaHuman device has a subject {name!r} already"
                raise UserError(Problem(name, what, "give it one link to the device, not two"))
            # As a whole, for the device's thread may be going through the subjects.
            self._feeds = {**self._feeds, feed.id: feed}
        return feed

    def description(self) -> dict[str, Any]:
        """Return the device as the protocol describes it. Takes cannot be fetched: no export."""
        return {
            "id": self.id,
            "name": self.name,
            "model": PROGRAM_NAME,
            "platformName": PLATFORMS.get(sys.platform, "linux"),
            "platformVersion": platform.release(),
            "softwareName": PROGRAM_NAME,
            "softwareVersion": self._version,
            "exportPort": 0,
        }


GROUP = "239.255.137.139"
PORT = 27838

ANY_INTERFACE = "0.0.0.0"  # noqa: S104 - it is where to send, nothing listens for more by it

MAGIC = b"CPSDISCOVER\0"
HEAD = struct.Struct("<12sHB")
VERSION = 2

MAX_NAME_BYTES = 255
"""The largest u8."""

NOTICE_S = 3.0
"""Between two notices; receivers forget a device after twice that time."""

MAX_RESPONSES = 10
"""Responses between two notices; further requests get none."""


class Kind(IntEnum):
    """What a datagram is."""

    REQUEST = 0
    RESPONSE = 1
    NOTICE = 2


class Presence(IntEnum):
    """The state of the device in a notice."""

    OFFLINE = 0
    ONLINE = 1


def is_request(datagram: bytes) -> bool:
    """Whether a datagram is a search for devices."""
    return datagram == HEAD.pack(MAGIC, VERSION, Kind.REQUEST)


def response(server_id: str, name: str, control_port: int) -> bytes:
    """Return the response to a request."""
    return HEAD.pack(MAGIC, VERSION, Kind.RESPONSE) + _device(server_id, name, control_port)


def notice(server_id: str, name: str, control_port: int, presence: Presence) -> bytes:
    """Return the notice that announces the device."""
    device = _device(server_id, name, control_port)
    return HEAD.pack(MAGIC, VERSION, Kind.NOTICE) + device + bytes([presence])


def _device(server_id: str, name: str, control_port: int) -> bytes:
    shown = name.encode("utf-8")[:MAX_NAME_BYTES].decode("utf-8", "ignore").encode("utf-8")
    identity = uuid.UUID(server_id).bytes
    return identity + bytes([len(shown)]) + shown + struct.pack("<H", control_port)


class Beacon:
    """Responds to searches for a device, and announces it every `NOTICE_S`.

    `interface` is the IPv4 address of the network it is found on, by default that of the default
    route; `group` the multicast group. Where it cannot be joined, `report` gets a message, and
    clients can still connect to the device.
    """

    def __init__(
        self,
        server_id: str,
        name: str,
        control_port: int,
        report: Callable[[str], None],
        *,
        interface: str = ANY_INTERFACE,
        group: tuple[str, int] = (GROUP, PORT),
    ) -> None:
        self._group = group
        self._interface = interface
        self._report = report
        self._response = response(server_id, name, control_port)
        self._notices = {
            presence: notice(server_id, name, control_port, presence) for presence in Presence
        }
        self._responses_left = 0

    async def run(self) -> None:
        """Run until cancelled; then announce that the device is offline."""
        loop = asyncio.get_running_loop()
        try:
            joined = _joined_socket(self._interface, *self._group)
        except OSError as error:
            self._report(f"MetaHuman device: it cannot be discovered ({error.strerror or error})")
            return
        transport, _ = await loop.create_datagram_endpoint(lambda: _Responder(self), sock=joined)
        try:
            while True:
                self._responses_left = MAX_RESPONSES
                transport.sendto(self._notices[Presence.ONLINE], self._group)
                await asyncio.sleep(NOTICE_S)
        finally:
            # Not through the transport: on Windows asyncio does not close one that is sending.
            with suppress(OSError):
                joined.sendto(self._notices[Presence.OFFLINE], self._group)
            transport.close()

    def response_to(self, datagram: bytes) -> bytes | None:
        """Return the response to a request; None for anything else, and for one too many."""
        if not is_request(datagram) or self._responses_left == 0:
            return None
        self._responses_left -= 1
        return self._response


class _Responder(asyncio.DatagramProtocol):
    def __init__(self, beacon: Beacon) -> None:
        self._beacon = beacon
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        answer = self._beacon.response_to(data)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


def _joined_socket(interface: str, group: str, port: int) -> socket.socket:
    joined = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        joined.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Several programs of a machine may look for devices at once; Windows has no such option.
        if hasattr(socket, "SO_REUSEPORT"):
            joined.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        joined.bind(("", port))
        own = socket.inet_aton(interface)
        joined.setsockopt(
            socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + own
        )
        joined.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
        joined.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        joined.settimeout(0.0)
    except OSError:
        joined.close()
        raise
    return joined
