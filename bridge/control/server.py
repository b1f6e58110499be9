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
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.system.addresses import bind_or_explain, find_address
from cstalk_bridge.system.worker import STOP_TIMEOUT_S, JobWorker, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cstalk_bridge.config.servers import ControlConfig, OscAddress
    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.control.replies import Address, Outgoing, Reply
    from cstalk_bridge.face.emotion_trajectory import Keyframe
    from cstalk_bridge.takes.recording.recorder import Recorder


BATCH_DATAGRAMS = 8
"""Datagrams of one batch, about 0.2 ms of work."""

BATCH_PAUSE_S = 0.0025
"""Pause between two batches. A flood costs the threads of the face 8 % of a core at most; datagrams
beyond 3200 a second wait in the buffer of the system, which drops what it cannot hold."""

POLL_S = 0.2
"""Interval at which the thread checks whether it has to stop."""

MAX_CACHED_SENDERS = 256
"""Senders for whom the reply of `is_allowed` is cached."""


class ControlServer:
    """Remote control over OSC, from `start` to `stop`; it has its port at once.

    `resolve` returns the IP address of a host, by default the system's. UserError where it cannot
    listen.
    """

    def __init__(
        self,
        config: ControlConfig,
        place: OscAddress,
        controller: Controller,
        *,
        notice: Callable[[str], None],
        now: Callable[[], float],
        resolve: Callable[[str], str] | None = None,
    ) -> None:
        self._socket = bind_or_explain(f"control {place}", "udp", place.host, place.port)
        self._socket.settimeout(0.0)
        is_allowed = lru_cache(MAX_CACHED_SENDERS)(config.is_allowed)
        self.phone = PhoneApp(
            controller, resolve=resolve or resolve_host, is_allowed=is_allowed, send_file=send_file
        )
        self._subscribers = RecordingSubscribers(self._send, lambda: self.phone.targets)
        self.dispatcher = OscDispatcher(
            controller,
            self.phone,
            is_allowed=is_allowed,
            notice=notice,
            now=now,
            on_work=self._subscribers.note,
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
        """Begin to listen, and to report what is recorded."""
        if recorder is not None:
            self._subscribers.watch(recorder)
        for jobs in self._jobs.values():
            jobs.start()
        self._worker.start()

    def stop(self) -> None:
        """Announce the end to the targets, end the thread and free the port; idempotent."""
        was_running = self._worker.is_running
        self._worker.stop()
        if was_running:
            self._send(self.phone.shutdown())
        for jobs in self._jobs.values():
            jobs.stop()
        self._socket.close()

    def _run(self) -> None:
        while not self._worker.is_stopping:
            if select.select([self._socket], [], [], POLL_S)[0]:
                self._read_batch()
                self._worker.wait(BATCH_PAUSE_S)

    def _read_batch(self) -> None:
        for _ in range(BATCH_DATAGRAMS):
            try:
                datagram, sender = self._socket.recvfrom(MAX_DATAGRAM_BYTES + 1)
            except BlockingIOError:
                return
            except OSError:
                # On Windows: an earlier reply was refused, or the datagram is too large.
                continue
            for reply in self.dispatcher.handle(datagram, (sender[0], sender[1])):
                self._send(reply)

    def _send(self, reply: Reply) -> None:
        self._send_all(reply.outgoing)
        if reply.work and not self._jobs[reply.kind].submit(partial(self._work, reply.work)):
            self.dispatcher.counters.dropped += 1
            self.dispatcher.report("too many requests at once; some are dropped")
            self._send_all(reply.if_dropped)

    def _report_failure(self, error: Exception) -> None:
        self.dispatcher.report(f"remote control failed ({type(error).__name__}: {error})")

    def _work(self, work: Callable[[], Reply]) -> None:
        self._send(work())

    def _send_all(self, outgoing: tuple[Outgoing, ...]) -> None:
        for each in outgoing:
            host, port = each.to
            is_mapped = self._socket.family == socket.AF_INET6 and ":" not in host
            try:
                self._socket.sendto(each.datagram, (f"::ffff:{host}" if is_mapped else host, port))
            except OSError as error:
                self.dispatcher.report(f"cannot reply to {host}: {error.strerror}")


def resolve_host(host: str) -> str:
    """Return the IP address of a host, IPv4 where there is one; may wait. UserError."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        _, address = find_address(host, 0)
    except (OSError, UnicodeError):
        raise UserError(Problem("control", f"host {host[:80]!r} cannot be found")) from None
    return str(address[0])


class ControlService:
    """Remote control and emotion cues of a run; it binds its port at once, or UserError.

    `keyframes` are those of each subject, by its name.
    """

    def __init__(
        self,
        config: ControlConfig,
        keyframes: Mapping[str, Sequence[Keyframe]],
        controller: Controller,
        now: Callable[[], float],
    ) -> None:
        self._cues = CueScheduler(emotion_cues(keyframes), controller, now)
        self._controller = controller
        self.server: ControlServer | None = None
        if config.osc is not None:
            self.server = ControlServer(
                config, config.osc, controller, notice=controller.notice, now=now
            )

    @contextmanager
    def started(self) -> Iterator[None]:
        """Take part in a run within the context; the controller is connected by then."""
        self._cues.start()
        if self.server is not None:
            host, port = self.server.address
            self._controller.notice(f"remote control over OSC at {host}:{port}")
            self.server.start(self._controller.takes.recorder)
        try:
            yield
        finally:
            self._cues.stop()
            self.close()

    def close(self) -> None:
        """Free the port; idempotent."""
        if self.server is not None:
            self.server.stop()
