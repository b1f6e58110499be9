"""UDP targets: how users write them, how their hosts are found, and sockets to several of them.

None of them can hold up or disturb another. A host that is not found is looked for again and
again by a thread of its own.
"""

from __future__ import annotations

import errno
import ipaddress
import math
import re
import socket
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.system.addresses import (
    HOST_NAME,
    HostAddress,
    SocketAddress,
    find_address,
    is_loopback,
)
from cstalk_bridge.system.worker import Worker
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence


MAX_TARGETS = 16
"""Targets of one link; more is a mistake in a list rather than a stage."""


class Target(BaseModel):
    """One receiver. `host` is a name, an IPv4 or an IPv6 address without brackets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    port: int = Field(ge=1, le=65535)

    @field_validator("host")
    @classmethod
    def _is_host(cls, host: str) -> str:
        if fault := _host_fault(host):
            raise ValueError(fault)
        return host

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_target(text: str, default_port: int) -> Target:
    """Read `host`, `host:port`, `[::1]` or `[::1]:port`; ValueError with a message for the user."""
    match = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([^:]*))?", text)
    if match is None:
        raise ValueError(f"target {text!r} is not host:port; an IPv6 address needs brackets")
    host, port_text = match[1], match[2]
    if host.startswith("[") and ":" not in host:
        raise ValueError(f"target {text!r}: only an IPv6 address may be in brackets")
    host = host.strip("[]")
    if fault := _host_fault(host):
        raise ValueError(f"target {text!r}: {fault}")
    port = default_port
    if port_text is not None:
        if not re.fullmatch(r"[0-9]{1,5}", port_text) or not 1 <= int(port_text) <= 65535:
            raise ValueError(f"target {text!r}: port {port_text!r} is not a number from 1 to 65535")
        port = int(port_text)
    return Target(host=host, port=port)


def has_port(target: Any) -> bool:
    """Whether a target of a URL or a config names its port."""
    if isinstance(target, str):
        return re.search(r":[0-9]+\Z", target.rpartition("]")[2]) is not None
    return not isinstance(target, dict) or "port" in target


def filled_target(target: Any, default_port: int) -> Any:
    """Return a target of a config with what it leaves out; anything else is returned as it is."""
    if isinstance(target, str):
        return parse_target(target, default_port)
    return {"port": default_port, **target} if isinstance(target, dict) else target


def _host_fault(host: str) -> str | None:
    if ":" in host or re.fullmatch(r"[0-9.]+", host):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return f"{host!r} is not an IP address"
        return None
    if not host:
        return "the host is missing"
    return None if HOST_NAME.fullmatch(host) else f"{host!r} is not a host name"


LOOKUP_INTERVAL_S = 5.0
"""How often a name is looked for. Machines of a stage are switched on one after another."""


def find_host(target: Target) -> HostAddress:
    """Return where a target is; may wait. OSError or UnicodeError where its host is unknown."""
    return find_address(target.host, target.port)


def unknown_host(target: Target, error: OSError | UnicodeError) -> Problem:
    """Return the problem of a host that cannot be found."""
    reason = getattr(error, "strerror", None) or str(error)
    what = f"the host {target.host!r} cannot be found ({reason})"
    return Problem(str(target), what, "check the name, or give its IP address")


class HostSearch:
    """Looks for targets until each is found or it is stopped, in a thread of its own.

    `found` is called for one at a time, on that thread. An answer that arrives after it is
    stopped is ignored.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        find: Callable[[Target], HostAddress],
        found: Callable[[Target, HostAddress], None],
        interval_s: float = LOOKUP_INTERVAL_S,
    ) -> None:
        self._missing = list(targets)
        self._find = find
        self._found = found
        self._interval_s = interval_s
        self._worker = Worker("names", self._run)
        self._worker.start()

    def stop(self) -> None:
        """Look no more."""
        self._worker.request_stop()

    def _run(self) -> None:
        while self._missing and not self._worker.wait(self._interval_s):
            for target in tuple(self._missing):
                try:
                    found = self._find(target)
                    if self._worker.is_stopping:
                        return
                    self._found(target, found)
                except (OSError, UnicodeError):
                    continue
                self._missing.remove(target)


class Delivery(Enum):
    """What is known of the frames that are sent to a target, best first."""

    LISTENING = "listening"
    """A program of this machine has the port, or a client has asked for the frames."""
    SENT = "sent, no answer expected"
    """They have left; over UDP another machine gives no sign."""
    IDLE = "off"
    """None are to be sent."""
    NO_RECEIVER = "NO RECEIVER"
    """Nobody listens."""
    NOT_SENT = "NOT SENT"
    """The system does not take them."""

    @property
    def is_fault(self) -> bool:
        """Whether the faces certainly do not arrive."""
        return self in {self.NO_RECEIVER, self.NOT_SENT}


REFUSED_S = 5.0
"""Time for which an answer about another machine counts. Linux sends one a second
(`icmp_ratelimit`) however many frames it refuses, and finds a machine that is off every 3 s, after
three questions for its hardware address (`mcast_solicit`); this machine answers every frame."""

IP_RECVERR, IPV6_RECVERR = 11, 25
"""Of Linux's `in.h` and `in6.h`, which Python lacks: the socket reports every ICMP error, also that
a machine of the local network does not answer."""

UNREACHED = frozenset({errno.EHOSTUNREACH, errno.EHOSTDOWN})
"""Errors about an earlier datagram: the machine does not answer in its network."""

PROVEN_DATAGRAMS = 8
"""Datagrams to this machine in a row without a refusal that show that somebody listens."""

CHECK_DATAGRAMS = 4
"""Datagrams between two looks for a refusal that the system does not report when sending: Windows
reports it when receiving (WSAECONNRESET). Fewer than `PROVEN_DATAGRAMS`, which would else be taken
for proof between two looks."""

RECONNECT_S = 1.0
"""Time between two attempts to connect the socket anew, after the network has changed."""


@dataclass(slots=True)
class Receiver:
    """One target with its own socket, and how many datagrams the system took or refused.

    The socket is connected to its address, so that the system reports the ICMP message "port
    unreachable" with which a machine answers where nobody listens (RFC 1122, section 4.1.3.3);
    `refused` counts these, and on Linux also those about a machine that does not answer in its
    network. Otherwise UDP does not report whether datagrams arrive.
    """

    target: Target
    address: SocketAddress
    socket: socket.socket
    sent: int = 0
    failed: int = 0
    last_error: str | None = None
    refused: int = 0
    now: Callable[[], float] = field(default=host_now, repr=False)
    _refused_s: float = -math.inf
    _sent_at_refusal: int = 0
    _connected_s: float = -math.inf
    _is_connected: bool = False
    is_absent: bool = False
    """Whether the last answer was that the machine does not answer, not that nobody listens."""

    def __post_init__(self) -> None:
        self.socket.settimeout(0.0)
        self._connect()

    @property
    def is_here(self) -> bool:
        """Whether the target is on this machine, which answers every datagram without a port."""
        if not self._is_connected:
            return False
        try:
            own = self.socket.getsockname()[0]
        except OSError:
            return False
        return bool(own == self.address[0]) or is_loopback(self.address[0])

    def delivery(self, now_s: float) -> Delivery:
        """Return what is known of it at a host time; for any thread."""
        unanswered = self.sent - self._sent_at_refusal
        if self.is_here:
            if self.refused and unanswered < PROVEN_DATAGRAMS:
                return Delivery.NO_RECEIVER
            return Delivery.LISTENING if unanswered >= PROVEN_DATAGRAMS else Delivery.SENT
        is_refused = now_s - self._refused_s < REFUSED_S
        return Delivery.NO_RECEIVER if is_refused else Delivery.SENT

    def send(self, datagrams: Iterable[bytes]) -> None:
        """Hand every datagram to the system; what it refuses is dropped and counted."""
        for datagram in datagrams:
            if self.sent % CHECK_DATAGRAMS == 0:
                self._check()
            try:
                self._send(datagram)
            except OSError as error:
                if self._is_answer(error):
                    # To an earlier datagram; this one has not been sent.
                    self._send_again(datagram)
                else:
                    self._fail(error)
            else:
                self.sent += 1

    def close(self) -> None:
        """Close its socket."""
        self.socket.close()

    def _send(self, datagram: bytes) -> None:
        if self._is_connected:
            self.socket.send(datagram)
        else:
            self.socket.sendto(datagram, self.address)

    def _send_again(self, datagram: bytes) -> None:
        try:
            self._send(datagram)
        except OSError as error:
            self._fail(error)
        else:
            self.sent += 1

    def _check(self) -> None:
        """Look for a refusal that only receiving reports, and connect where it was impossible."""
        try:
            self.socket.recv(1)
        except OSError as error:
            self._is_answer(error)  # Usually there is nothing to receive; other faults show later.
        if not self._is_connected and self.now() - self._connected_s >= RECONNECT_S:
            self._connect()

    def _is_answer(self, error: OSError) -> bool:
        """Whether an error is an answer to an earlier datagram, which is then counted."""
        is_absent = error.errno in UNREACHED
        if not is_absent and not isinstance(error, ConnectionRefusedError | ConnectionResetError):
            return False
        self.refused += 1
        self.is_absent = is_absent
        self._refused_s = self.now()
        self._sent_at_refusal = self.sent
        return True

    def _fail(self, error: OSError) -> None:
        self.failed += 1
        self.last_error = error.strerror or str(error)
        if self.now() - self._connected_s >= RECONNECT_S:
            self._reopen()

    def _reopen(self) -> None:
        """Take a new socket: a connected one keeps the address which this machine had."""
        if self.socket.fileno() < 0:
            return
        may_broadcast = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST)
        try:
            opened = _datagram_socket(self.socket.family, may_broadcast=bool(may_broadcast))
        except OSError:
            self._connected_s = self.now()
            return
        opened.settimeout(0.0)
        before, self.socket = self.socket, opened
        before.close()
        self._connect()

    def _connect(self) -> None:
        self._connected_s = self.now()
        try:
            self.socket.connect(self.address)
        except OSError:
            # No network yet, or a broadcast that is not allowed: sending reports why.
            self._is_connected = False
        else:
            self._is_connected = True


@dataclass(slots=True)
class UnresolvedTarget:
    """A target whose host is not known yet; all that is sent to it fails."""

    target: Target
    last_error: str | None
    sent: int = 0
    failed: int = 0
    refused: int = 0
    is_absent: bool = False

    def delivery(self, now_s: float) -> Delivery:
        """Return that nothing is sent."""
        return Delivery.NOT_SENT

    def send(self, datagrams: Sequence[bytes]) -> None:
        """Count datagrams that lead nowhere."""
        self.failed += len(datagrams)

    def close(self) -> None:
        """Do nothing: there is no socket."""


class UdpTargets:
    """Non-blocking UDP sockets to targets.

    One thread sends and closes; others may add and drop targets meanwhile. A target whose name is
    unknown, such as a machine that is still switched off, is looked for every `interval_s`, while
    the others are sent to. Where no target is known at all, UserError names them. `find` asks the
    system for an address.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        interval_s: float = LOOKUP_INTERVAL_S,
        find: Callable[[Target], HostAddress] = find_host,
    ) -> None:
        self._find = find
        self.receivers: tuple[Receiver | UnresolvedTarget, ...] = ()
        self._dropped: deque[Receiver | UnresolvedTarget] = deque()
        self._closed_sent = self._closed_failed = self._closed_refused = 0
        self._changing = threading.Lock()
        self._search: HostSearch | None = None
        problems = []
        for target in targets:
            try:
                self.receivers += (_opened(target, find(target)),)
            except (OSError, UnicodeError) as error:
                problems.append(unknown_host(target, error))
                self.receivers += (UnresolvedTarget(target, problems[-1].what),)
        if problems and len(problems) == len(targets):
            raise UserError.of(problems)
        if problems:
            missing = [each.target for each in self.receivers if isinstance(each, UnresolvedTarget)]
            self._search = HostSearch(missing, find, self._add_found, interval_s)

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

    @property
    def refused(self) -> int:
        """Answers that nobody listens, of all targets there ever were."""
        here = (*self.receivers, *self._dropped)
        return self._closed_refused + sum(receiver.refused for receiver in here)

    def add(self, target: Target) -> None:
        """Send to that target too, if not already; may wait for its name to be resolved.

        UserError: it is not found, or `MAX_TARGETS` are there.
        """
        try:
            found = self._find(target)
        except (OSError, UnicodeError) as error:
            raise UserError(unknown_host(target, error)) from None
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
        """Drop all targets; the sending thread closes them at its next `send_last`."""
        with self._changing:
            dropped, self.receivers = self.receivers, ()
            self._dropped.extend(dropped)

    def forget(self, targets: Collection[Target]) -> None:
        """Close these targets without a last datagram: another link sends to them from now on.

        For the sending thread.
        """
        with self._changing:
            for receiver in self.receivers:
                if receiver.target in targets:
                    self._retire(receiver)
            self.receivers = tuple(each for each in self.receivers if each.target not in targets)

    @property
    def has_dropped(self) -> bool:
        """Whether targets were dropped which are still open."""
        return bool(self._dropped)

    def send_last(self, datagrams: Sequence[bytes]) -> None:
        """Send the dropped targets their last datagrams and close them; for the sending thread."""
        while self._dropped:
            receiver = self._dropped.popleft()
            receiver.send(datagrams)
            self._retire(receiver)

    def replace(self, addresses: tuple[SocketAddress, ...]) -> None:
        """Send to exactly these socket addresses, each once; for the sending thread.

        Targets that stay keep their sockets and counters. Receivers choose the addresses, so none
        may be a broadcast. An address that gets no socket counts as a failed datagram.
        """
        with self._changing:
            here = {each.address: each for each in self.receivers if isinstance(each, Receiver)}
            for address in here.keys() - set(addresses):
                self._retire(here.pop(address))
            for address in (each for each in addresses if each not in here):
                host, port = address[:2]
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                try:
                    target = Target(host=host, port=port)
                    here[address] = _opened(target, (family, address), may_broadcast=False)
                except OSError:
                    self._closed_failed += 1
            self.receivers = tuple(here.values())

    def _retire(self, receiver: Receiver | UnresolvedTarget) -> None:
        receiver.close()
        self._closed_sent += receiver.sent
        self._closed_failed += receiver.failed
        self._closed_refused += receiver.refused

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

    def _add_found(self, target: Target, found: HostAddress) -> None:
        """Send to a target from now on whose host was found, if it is still a target."""
        with self._changing:
            for unfound in self.receivers:
                if unfound.target == target and isinstance(unfound, UnresolvedTarget):
                    opened = _opened(target, found)
                    opened.failed = unfound.failed
                    self.receivers = tuple(
                        opened if each is unfound else each for each in self.receivers
                    )


def _is_one(receiver: Receiver | UnresolvedTarget, target: Target, found: HostAddress) -> bool:
    """Whether packets reach that target already, by whichever name."""
    is_there = isinstance(receiver, Receiver) and receiver.address == found[1]
    return is_there or receiver.target == target


def _opened(target: Target, found: HostAddress, *, may_broadcast: bool = True) -> Receiver:
    # A socket each: packets waiting for a host that does not answer fill its buffer only.
    family, address = found
    return Receiver(target, address, _datagram_socket(family, may_broadcast=may_broadcast))


def _datagram_socket(family: int, *, may_broadcast: bool) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, may_broadcast)
    if sys.platform == "linux":
        is_ipv6 = family == socket.AF_INET6
        level = socket.IPPROTO_IPV6 if is_ipv6 else socket.IPPROTO_IP
        opened.setsockopt(level, IPV6_RECVERR if is_ipv6 else IP_RECVERR, 1)
    return opened
