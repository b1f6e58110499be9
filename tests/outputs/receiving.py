"""A real UDP receiver on loopback, for tests."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cstalk_bridge.outputs.udp import Target

if TYPE_CHECKING:
    from collections.abc import Iterator


TIMEOUT_S = 5.0
"""How long a datagram on loopback may take before a test fails."""


class Receiver:
    """A bound socket; `target` is where to send, `all_waiting` reads what has arrived."""

    def __init__(self, bound: socket.socket) -> None:
        self._bound = bound
        host, port = bound.getsockname()[:2]
        self.target = Target(host=host, port=port)

    def send(self, datagram: bytes, port: int) -> None:
        """Send from here to a port of this machine."""
        self._bound.sendto(datagram, (self.target.host, port))

    def one(self) -> bytes:
        """Wait for the next datagram."""
        self._bound.settimeout(TIMEOUT_S)
        return self._bound.recv(65536)

    def all_waiting(self) -> list[bytes]:
        """Read what is there: on loopback, everything that was sent before."""
        self._bound.settimeout(0.0)
        datagrams = []
        try:
            while True:
                datagrams.append(self._bound.recv(65536))
        except BlockingIOError:
            return datagrams


@contextmanager
def receiver(
    host: str = "127.0.0.1", family: socket.AddressFamily = socket.AF_INET
) -> Iterator[Receiver]:
    """Open a receiver on a free port."""
    with socket.socket(family, socket.SOCK_DGRAM) as bound:
        bound.bind((host, 0))
        yield Receiver(bound)
