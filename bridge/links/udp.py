"""Datagrams to several receivers, none of which can hold up or disturb another."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bridge.links.spec import Target


@dataclass(slots=True)
class Receiver:
    """One target with its own socket, and how many datagrams the system took or refused.

    UDP tells nobody whether they arrived.
    """

    target: Target
    address: tuple[Any, ...]
    socket: socket.socket
    sent: int = 0
    failed: int = 0
    last_error: str | None = None

    def send(self, datagrams: Iterable[bytes]) -> None:
        """Hand every datagram to the system; what it refuses is dropped and counted."""
        for datagram in datagrams:
            try:
                self.socket.sendto(datagram, self.address)
            except OSError as error:
                self.failed += 1
                self.last_error = error.strerror or str(error)
            else:
                self.sent += 1


class UdpTargets:
    """Non-blocking UDP sockets to targets which are resolved once, at the start.

    Names that have both an IPv4 and an IPv6 address get IPv4: Unreal listens on that alone, and
    `localhost` often means `::1`. UserError names every target that cannot be resolved.
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        addresses = _resolve(targets)
        # A socket each: packets waiting for a host that does not answer fill its buffer only.
        # Not connected: then neither a receiver that is not up yet nor a changed network fails.
        self.receivers = tuple(
            Receiver(target, address, _open_socket(family))
            for target, (family, address) in zip(targets, addresses, strict=True)
        )

    @property
    def sent(self) -> int:
        """Datagrams the system took, of all targets."""
        return sum(receiver.sent for receiver in self.receivers)

    @property
    def failed(self) -> int:
        """Datagrams the system refused, of all targets."""
        return sum(receiver.failed for receiver in self.receivers)

    def send(self, datagrams: Sequence[bytes]) -> None:
        """Send the datagrams to every target, in order; never blocks, never raises."""
        for receiver in self.receivers:
            receiver.send(datagrams)

    def close(self) -> None:
        """Close the sockets; sending afterwards counts as failed."""
        for receiver in self.receivers:
            receiver.socket.close()


def _resolve(targets: Sequence[Target]) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    addresses: list[tuple[socket.AddressFamily, tuple[Any, ...]]] = []
    problems = []
    for target in targets:
        try:
            found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            problems.append(
                Problem(
                    str(target),
                    f"the host {target.host!r} cannot be found ({reason})",
                    "check the name, or give its IP address",
                )
            )
            continue
        family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        addresses.append((family, address))
    if problems:
        raise UserError.of(problems)
    return addresses


def _open_socket(family: socket.AddressFamily) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_DGRAM)
    opened.settimeout(0.0)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    return opened
