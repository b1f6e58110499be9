"""Discovery of a device: datagrams to a multicast group of the local network.

    offset  type      field
    0       12 bytes  CPSDISCOVER\0
    12      u16       version, 2
    14      u8        type: 0 request, 1 response, 2 notice

A response goes on with 16 bytes server id, u8 length of the name, the name in UTF-8, u16 control
port; a notice with the same and a u8 connection state. Little-endian. The numbers of the types and
states, and to whom a response goes, are guesses: no editor was asked.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import uuid
from contextlib import suppress
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


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
    """What a notice says of the device."""

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
