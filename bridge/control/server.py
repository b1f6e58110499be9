"""The thread that hears OSC: a UDP socket, read in small bites, answered by what it leads to."""

from __future__ import annotations

import ipaddress
import select
import socket
import threading
from functools import lru_cache
from typing import TYPE_CHECKING

from bridge.control.conversation import MAX_DATAGRAM_BYTES, Conversation
from bridge.control.lamps import Lamps
from bridge.control.phone import Phone
from bridge.control.transport import hand_over
from bridge.control.worker import Kind, Worker
from bridge.errors import Problem, UserError
from bridge.listening import binding_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.control.answer import Address, Answer, Outgoing
    from bridge.control.desk import Desk
    from bridge.control.spec import ControlSpec, OscPlace
    from bridge.recording.recorder import Recorder

BITE = 8
"""Datagrams read at once, about 0.2 ms of work."""

PAUSE_S = 0.0025
"""Between two bites. A flood costs the threads of the face no more than 8 % of a core; what
comes faster than 3200 a second waits with the system, which drops what it cannot hold."""

GLANCE_S = 0.2
"""How often the thread looks whether it is to stop."""

STOP_S = 2.0
"""Time given to the thread to end."""

REMEMBERED = 256
"""Senders of whom it is known whether they are allowed."""


class ControlServer:
    """Remote control over OSC, from `start` to `stop`; it has its port at once.

    `resolve` returns the IP address of a host, by default the system's. UserError where it cannot
    listen.
    """

    def __init__(
        self,
        spec: ControlSpec,
        place: OscPlace,
        desk: Desk,
        *,
        notice: Callable[[str], None],
        now: Callable[[], float],
        resolve: Callable[[str], str] | None = None,
    ) -> None:
        self._socket = _bound(place)
        is_allowed = lru_cache(REMEMBERED)(spec.is_allowed)
        self.phone = Phone(
            desk, resolve=resolve or resolved, is_allowed=is_allowed, hand_over=hand_over
        )
        self._lamps = Lamps(self._send, lambda: self.phone.targets)
        self.conversation = Conversation(
            desk,
            self.phone,
            is_allowed=is_allowed,
            notice=notice,
            now=now,
            followed=self._lamps.hear,
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._workers = {kind: Worker(kind, self._send) for kind in Kind}

    @property
    def address(self) -> Address:
        """Where it listens."""
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    def start(self, recorder: Recorder | None = None) -> None:
        """Begin to listen, and to tell of what is recorded."""
        if recorder is not None:
            self._lamps.watch(recorder)
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye, end the thread and give the port back; harmless when done twice."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)
            self._send(self.phone.farewell())
        for worker in self._workers.values():
            worker.begin(None)
        self._socket.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            if select.select([self._socket], [], [], GLANCE_S)[0]:
                self._bite()
                self._stopping.wait(PAUSE_S)

    def _bite(self) -> None:
        for _ in range(BITE):
            try:
                datagram, sender = self._socket.recvfrom(MAX_DATAGRAM_BYTES + 1)
            except BlockingIOError:
                return
            except OSError:
                # On Windows: the answer to somebody who has left came back, or it is too large.
                continue
            for answer in self.conversation.hear(datagram, (sender[0], sender[1])):
                self._send(answer)

    def _send(self, answer: Answer) -> None:
        self._send_all(answer.outgoing)
        if answer.work and not self._workers[answer.kind].begin(answer.work):
            self.conversation.counters.left_out += 1
            self.conversation.tell("too much is asked for at once; some of it is left out")
            self._send_all(answer.left_out)

    def _send_all(self, outgoing: tuple[Outgoing, ...]) -> None:
        for each in outgoing:
            host, port = each.to
            is_mapped = self._socket.family == socket.AF_INET6 and ":" not in host
            try:
                self._socket.sendto(each.datagram, (f"::ffff:{host}" if is_mapped else host, port))
            except OSError as error:
                self.conversation.tell(f"{host} cannot be answered: {error.strerror}")


def resolved(host: str) -> str:
    """Return the IP address of a host, IPv4 where there is one; may wait. UserError."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        raise UserError(Problem("control", f"the host {host[:80]!r} cannot be found")) from None
    return str(min(found, key=lambda entry: entry[0] != socket.AF_INET)[4][0])


def _bound(place: OscPlace) -> socket.socket:
    try:
        family, _, _, _, address = min(
            socket.getaddrinfo(
                place.host, place.port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
            ),
            key=lambda found: found[0] != socket.AF_INET,
        )
        opened = socket.socket(family, socket.SOCK_DGRAM)
        try:
            opened.bind(address)
        except OSError:
            opened.close()
            raise
    except (OSError, UnicodeError) as error:
        problem = binding_problem(f"control {place}", "UDP", place.host, place.port, error)
        raise UserError(problem) from None
    opened.settimeout(0.0)
    return opened
