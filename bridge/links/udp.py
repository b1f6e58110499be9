"""Datagrams to several receivers, none of which can hold up or disturb another."""

from __future__ import annotations

import socket
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.errors import Problem, UserError
from bridge.links.names import PACE_S, Search, find, unknown
from bridge.links.target import MAX_TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bridge.links.names import Found
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

    def close(self) -> None:
        """Close its socket."""
        self.socket.close()


@dataclass(slots=True)
class Unfound:
    """A target whose host is not known yet; all that is sent to it fails."""

    target: Target
    last_error: str | None
    sent: int = 0
    failed: int = 0

    def send(self, datagrams: Sequence[bytes]) -> None:
        """Count datagrams that lead nowhere."""
        self.failed += len(datagrams)

    def close(self) -> None:
        """Do nothing: there is no socket."""


class UdpTargets:
    """Non-blocking UDP sockets to targets.

    One thread sends and closes; others may add and drop targets meanwhile. A target
    whose name is unknown, such as a machine that is still switched off, is looked for every
    `pace_s`, while the others are sent to. Where no target is known at all, UserError names them.
    `find` asks the system for an address.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        pace_s: float = PACE_S,
        find: Callable[[Target], Found] = find,
    ) -> None:
        self._find = find
        self.receivers: tuple[Receiver | Unfound, ...] = ()
        self._dropped: deque[Receiver | Unfound] = deque()
        self._closed_sent = self._closed_failed = 0
        self._changing = threading.Lock()
        self._search: Search | None = None
        problems = []
        for target in targets:
            try:
                self.receivers += (_opened(target, find(target)),)
            except (OSError, UnicodeError) as error:
                problems.append(unknown(target, error))
                self.receivers += (Unfound(target, problems[-1].what),)
        if problems and len(problems) == len(targets):
            raise UserError.of(problems)
        if problems:
            missing = [each.target for each in self.receivers if isinstance(each, Unfound)]
            self._search = Search(missing, find, self._appear, pace_s)

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
        try:
            found = self._find(target)
        except (OSError, UnicodeError) as error:
            raise UserError(unknown(target, error)) from None
        with self._changing:
            if any(_is_one(receiver, target, found) for receiver in self.receivers):
                return
            if len(self.receivers) >= MAX_TARGETS:
                what = f"there are {MAX_TARGETS} targets already"
                raise UserError(Problem(str(target), what, "drop one first"))
            try:
                self.receivers = (*self.receivers, _opened(target, found))
            except OSError as error:
                what = f"cannot be sent to: {error.strerror or error}"
                raise UserError(Problem(str(target), what)) from None

    def drop_all(self) -> None:
        """Send to nobody any more; the sending thread closes what is left at its next `dismiss`."""
        with self._changing:
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
            receiver.close()
            self._closed_sent += receiver.sent
            self._closed_failed += receiver.failed

    def send(self, datagrams: Sequence[bytes]) -> None:
        """Send the datagrams to every target, in order; never blocks, never raises."""
        for receiver in self.receivers:
            receiver.send(datagrams)

    def close(self) -> None:
        """Close the sockets; sending afterwards counts as failed."""
        if self._search is not None:
            self._search.stop()
        for receiver in (*self.receivers, *self._dropped):
            receiver.close()

    def _appear(self, target: Target, found: Found) -> None:
        """Send to a target from now on whose host was found, if it is still wanted."""
        with self._changing:
            for unfound in self.receivers:
                if unfound.target == target and isinstance(unfound, Unfound):
                    opened = _opened(target, found)
                    opened.failed = unfound.failed
                    self.receivers = tuple(
                        opened if each is unfound else each for each in self.receivers
                    )


def _is_one(receiver: Receiver | Unfound, target: Target, found: Found) -> bool:
    """Whether packets reach that target already, by whichever name."""
    is_there = isinstance(receiver, Receiver) and receiver.address == found[1]
    return is_there or receiver.target == target


def _opened(target: Target, found: Found) -> Receiver:
    # A socket each: packets waiting for a host that does not answer fill its buffer only.
    # Not connected: then neither a receiver that is not up yet nor a changed network fails.
    family, address = found
    opened = socket.socket(family, socket.SOCK_DGRAM)
    opened.settimeout(0.0)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    return Receiver(target, address, opened)
