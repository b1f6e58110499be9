"""Datagrams to several receivers, none of which can hold up or disturb another."""

from __future__ import annotations

import socket
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.errors import Problem, UserError
from bridge.links.target import MAX_TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bridge.links.target import Target


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
    """Non-blocking UDP sockets to targets which are resolved once, when they are named.

    One thread sends and closes; another at a time may add and drop targets meanwhile. Names that
    have both an IPv4 and an IPv6 address get IPv4: Unreal listens on that alone, and `localhost`
    often means `::1`. UserError names every target that cannot be resolved.
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        self.receivers = _opened(targets)
        self._dropped: deque[Receiver] = deque()
        self._closed_sent = self._closed_failed = 0

    @property
    def sent(self) -> int:
        """Datagrams the system took, of all targets there ever were."""
        here = (*self.receivers, *self._dropped)
        return self._closed_sent + sum(receiver.sent for receiver in here)

    @property
    def failed(self) -> int:
        """Datagrams the system refused, of all targets there ever were."""
        here = (*self.receivers, *self._dropped)
        return self._closed_failed + sum(receiver.failed for receiver in here)

    def add(self, target: Target) -> None:
        """Send to that target too, if not already; may wait for its name to be resolved.

        UserError: it is not found, or `MAX_TARGETS` are there.
        """
        if any(receiver.target == target for receiver in self.receivers):
            return
        if len(self.receivers) >= MAX_TARGETS:
            what = f"there are {MAX_TARGETS} targets already"
            raise UserError(Problem(str(target), what, "drop one first"))
        self.receivers += _opened([target])

    def drop_all(self) -> None:
        """Send to nobody any more; the sending thread closes what is left at its next `dismiss`."""
        dropped, self.receivers = self.receivers, ()
        self._dropped.extend(dropped)

    @property
    def has_dropped(self) -> bool:
        """Whether targets were dropped which are still open."""
        return bool(self._dropped)

    def dismiss(self, datagrams: Sequence[bytes]) -> None:
        """Send the dropped targets their last datagrams and close them; for the sending thread."""
        while self._dropped:
            receiver = self._dropped.popleft()
            receiver.send(datagrams)
            receiver.socket.close()
            self._closed_sent += receiver.sent
            self._closed_failed += receiver.failed

    def send(self, datagrams: Sequence[bytes]) -> None:
        """Send the datagrams to every target, in order; never blocks, never raises."""
        for receiver in self.receivers:
            receiver.send(datagrams)

    def close(self) -> None:
        """Close the sockets; sending afterwards counts as failed."""
        for receiver in (*self.receivers, *self._dropped):
            receiver.socket.close()


def _opened(targets: Sequence[Target]) -> tuple[Receiver, ...]:
    # A socket each: packets waiting for a host that does not answer fill its buffer only.
    # Not connected: then neither a receiver that is not up yet nor a changed network fails.
    return tuple(
        Receiver(target, address, _open_socket(family))
        for target, (family, address) in zip(targets, _resolve(targets), strict=True)
    )


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
