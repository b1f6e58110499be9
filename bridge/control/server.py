"""The thread that hears OSC: a UDP socket, read in small bites, answered by what it leads to."""

from __future__ import annotations

import ipaddress
import queue
import select
import socket
import threading
from functools import lru_cache
from typing import TYPE_CHECKING

from bridge.control.conversation import MAX_DATAGRAM_BYTES, Conversation
from bridge.control.phone import Phone
from bridge.control.transport import hand_over
from bridge.errors import Problem, UserError
from bridge.listening import binding_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.control.answer import Address, Answer
    from bridge.control.desk import Desk
    from bridge.control.spec import ControlSpec, OscPlace

BITE = 8
"""Datagrams read at once, about 0.2 ms of work."""

PAUSE_S = 0.0025
"""Between two bites. A flood costs the threads of the face no more than 8 % of a core; what
comes faster than 3200 a second waits with the system, which drops what it cannot hold."""

GLANCE_S = 0.2
"""How often the thread looks whether it is to stop."""

MAX_WAITING = 32
"""Pieces of work that wait, of each kind; the next is left out and told."""

STOP_S = 2.0
"""Time given to the thread to end."""

REMEMBERED = 256
"""Senders of whom it is known whether they are allowed."""


class ControlServer:
    """Remote control over OSC, from `start` to `stop`; it has its port at once.

    UserError where it cannot listen.
    """

    def __init__(
        self,
        spec: ControlSpec,
        place: OscPlace,
        desk: Desk,
        *,
        notice: Callable[[str], None],
        now: Callable[[], float],
    ) -> None:
        self._socket = _bound(place)
        is_allowed = lru_cache(REMEMBERED)(spec.is_allowed)
        self.phone = Phone(desk, resolve=resolved, is_allowed=is_allowed, hand_over=hand_over)
        self.conversation = Conversation(
            desk, self.phone, is_allowed=is_allowed, notice=notice, now=now
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        # A receiver that hangs shall hold up no take, and a disk that hangs no heartbeat.
        self._works = {
            is_transport: _Work(name, self._send)
            for is_transport, name in ((False, "control-work"), (True, "transport"))
        }

    @property
    def address(self) -> Address:
        """Where it listens."""
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye, end the thread and give the port back; harmless when done twice."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)
            self._send(self.phone.farewell())
        for work in self._works.values():
            work.begin(None)
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
        for outgoing in answer.outgoing:
            host, port = outgoing.to
            is_mapped = self._socket.family == socket.AF_INET6 and ":" not in host
            try:
                self._socket.sendto(
                    outgoing.datagram, (f"::ffff:{host}" if is_mapped else host, port)
                )
            except OSError as error:
                self.conversation.tell(f"{host} cannot be answered: {error.strerror}")
        if answer.work and not self._works[answer.is_transport].begin(answer.work):
            self.conversation.counters.left_out += 1
            self.conversation.tell("too much is asked for at once; some of it is left out")


class _Work:
    """A thread for one kind of work, and a bound on what waits for it."""

    def __init__(self, name: str, send: Callable[[Answer], None]) -> None:
        self._waiting: queue.Queue[Callable[[], Answer] | None] = queue.Queue(MAX_WAITING)
        self._send = send
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def begin(self, work: Callable[[], Answer] | None) -> bool:
        """Do the work when its turn comes, and send its answer; False where there is no room.

        None ends the thread; what hangs is left behind.
        """
        try:
            self._waiting.put_nowait(work)
        except queue.Full:
            return False
        return True

    def _run(self) -> None:
        while (work := self._waiting.get()) is not None:
            self._send(work())


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
