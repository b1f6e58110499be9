"""OSC server: a thread that reads a UDP socket in small batches and sends the replies.

`ControlService` starts and stops it for a run, with the emotion cues of the config.
"""

from __future__ import annotations

import ipaddress
import select
import socket
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from cstalk_bridge.control.controller import CueScheduler, emotion_cues
from cstalk_bridge.control.dispatch import MAX_DATAGRAM_BYTES, OscDispatcher
from cstalk_bridge.control.osc_commands import RecordingSubscribers
from cstalk_bridge.control.phone_app import PhoneApp, send_file
from cstalk_bridge.control.replies import MAX_WAITING, WorkKind
from cstalk_bridge.errors import Problem, UserError
from cstalk_bridge.system.addresses import bind_or_explain, find_address
from cstalk_bridge.system.worker import STOP_TIMEOUT_S, JobWorker, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cstalk_bridge.config.schema import Config
    from cstalk_bridge.config.servers import ControlConfig, OscAddress
    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.control.replies import Address, Outgoing, Reply
    from cstalk_bridge.takes.recording.recorder import Recorder


BATCH_DATAGRAMS = 8
"""Datagrams read at once, about 0.2 ms of work."""

BATCH_PAUSE_S = 0.0025
"""Between two bites. A flood costs the threads of the face no more than 8 % of a core; what
comes faster than 3200 a second waits with the system, which drops what it cannot hold."""

POLL_S = 0.2
"""How often the thread looks whether it is to stop."""

MAX_CACHED_SENDERS = 256
"""Senders of whom it is known whether they are allowed."""


class ControlServer:
    """Remote control over OSC, from `start` to `stop`; it has its port at once.

    `resolve` returns the IP address of a host, by default the system's. UserError where it cannot
    listen.
    """

    def __init__(
        self,
        spec: ControlConfig,
        place: OscAddress,
        desk: Controller,
        *,
        notice: Callable[[str], None],
        now: Callable[[], float],
        resolve: Callable[[str], str] | None = None,
    ) -> None:
        self._socket = bind_or_explain(f"control {place}", "udp", place.host, place.port)
        self._socket.settimeout(0.0)
        is_allowed = lru_cache(MAX_CACHED_SENDERS)(spec.is_allowed)
        self.phone = PhoneApp(
            desk, resolve=resolve or resolve_host, is_allowed=is_allowed, hand_over=send_file
        )
        self._lamps = RecordingSubscribers(self._send, lambda: self.phone.targets)
        self.conversation = OscDispatcher(
            desk,
            self.phone,
            is_allowed=is_allowed,
            notice=notice,
            now=now,
            followed=self._lamps.hear,
        )
        self._worker = Worker(
            "control", self._run, timeout_s=STOP_TIMEOUT_S, failed=self._report_failure
        )
        self._jobs = {
            kind: JobWorker(f"control-{kind.value}", MAX_WAITING, failed=self._report_failure)
            for kind in WorkKind
        }

    @property
    def address(self) -> Address:
        """Where it listens."""
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    def start(self, recorder: Recorder | None = None) -> None:
        """Begin to listen, and to tell of what is recorded."""
        if recorder is not None:
            self._lamps.watch(recorder)
        for jobs in self._jobs.values():
            jobs.start()
        self._worker.start()

    def stop(self) -> None:
        """Say goodbye, end the thread and give the port back; harmless when done twice."""
        was_running = self._worker.is_running
        self._worker.stop()
        if was_running:
            self._send(self.phone.farewell())
        for jobs in self._jobs.values():
            jobs.stop()
        self._socket.close()

    def _run(self) -> None:
        while not self._worker.is_stopping:
            if select.select([self._socket], [], [], POLL_S)[0]:
                self._bite()
                self._worker.wait(BATCH_PAUSE_S)

    def _bite(self) -> None:
        for _ in range(BATCH_DATAGRAMS):
            try:
                datagram, sender = self._socket.recvfrom(MAX_DATAGRAM_BYTES + 1)
            except BlockingIOError:
                return
            except OSError:
                # On Windows: the answer to somebody who has left came back, or it is too large.
                continue
            for answer in self.conversation.hear(datagram, (sender[0], sender[1])):
                self._send(answer)

    def _send(self, answer: Reply) -> None:
        self._send_all(answer.outgoing)
        if answer.work and not self._jobs[answer.kind].submit(partial(self._work, answer.work)):
            self.conversation.counters.left_out += 1
            self.conversation.tell("too much is asked for at once; some of it is left out")
            self._send_all(answer.left_out)

    def _report_failure(self, error: Exception) -> None:
        self.conversation.tell(f"remote control failed ({type(error).__name__}: {error})")

    def _work(self, work: Callable[[], Reply]) -> None:
        self._send(work())

    def _send_all(self, outgoing: tuple[Outgoing, ...]) -> None:
        for each in outgoing:
            host, port = each.to
            is_mapped = self._socket.family == socket.AF_INET6 and ":" not in host
            try:
                self._socket.sendto(each.datagram, (f"::ffff:{host}" if is_mapped else host, port))
            except OSError as error:
                self.conversation.tell(f"{host} cannot be answered: {error.strerror}")


def resolve_host(host: str) -> str:
    """Return the IP address of a host, IPv4 where there is one; may wait. UserError."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        _, address = find_address(host, 0)
    except (OSError, UnicodeError):
        raise UserError(Problem("control", f"the host {host[:80]!r} cannot be found")) from None
    return str(address[0])


class ControlService:
    """What the config lets control a run; it has its port at once. UserError where it has none."""

    def __init__(self, config: Config, desk: Controller, now: Callable[[], float]) -> None:
        spec = config.control
        keys = {subject.name: subject.emotions.root for subject in config.subjects}
        self._prompter = CueScheduler(emotion_cues(keys), desk, now)
        self._desk = desk
        self.server: ControlServer | None = None
        if spec.osc is not None:
            self.server = ControlServer(spec, spec.osc, desk, notice=desk.notice, now=now)

    @contextmanager
    def started(self) -> Iterator[None]:
        """Take part in a run within the context; the desk is connected to it by then."""
        self._prompter.start()
        if self.server is not None:
            host, port = self.server.address
            self._desk.notice(f"remote control over OSC at {host}:{port}")
            self.server.start(self._desk.takes.recorder)
        try:
            yield
        finally:
            self._prompter.stop()
            self.close()

    def close(self) -> None:
        """Give the port back; harmless when done twice."""
        if self.server is not None:
            self.server.stop()
