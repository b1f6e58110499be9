"""OSC server: a thread that reads a UDP socket in small batches, dispatches datagrams within
limits, and sends the replies.

`ControlService` starts and stops it for a run, with the emotion cues of the config.
"""

from __future__ import annotations

import ipaddress
import select
import socket
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from cstalk_bridge.control.commands import MAX_WAITING, NO_REPLY, Reply, WorkKind
from cstalk_bridge.control.controller import CueScheduler, emotion_cues
from cstalk_bridge.control.osc_commands import (
    REPLY_ADDRESSES,
    CommandHandler,
    StateSubscribers,
    error_reply,
)
from cstalk_bridge.control.phone_app import PhoneApp, send_file
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.osc_messages import decode_packet
from cstalk_bridge.system.addresses import bind_or_explain, find_address
from cstalk_bridge.system.worker import STOP_TIMEOUT_S, JobWorker, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cstalk_bridge.control.access import ControlConfig, OscAddress
    from cstalk_bridge.control.commands import Address, Outgoing
    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.face.emotion_trajectory import Keyframe
    from cstalk_bridge.outputs.osc_messages import Message
    from cstalk_bridge.takes.recording.recorder import Recorder


MAX_DATAGRAM_BYTES = 2048
"""Size of a datagram; a bundle of all commands has some hundred bytes."""

MAX_MESSAGES = 32
"""Messages of one bundle."""

MAX_REPORTED = 6
"""Faults reported within `REPORT_WINDOW_S`, to the sender and to the user, so that a flood of
messages does not cause a flood of reports."""

REPORT_WINDOW_S = 3.0


@dataclass(slots=True)
class ReceiveCounters:
    """Counts of received messages. Written by the thread that listens."""

    handled: int = 0
    """Messages that were done, or whose work has begun."""
    invalid: int = 0
    """Messages that are unknown, have wrong arguments, or cannot be done."""
    malformed: int = 0
    """Datagrams that are not OSC, too large, or hold too many messages."""
    rejected: int = 0
    """Datagrams of senders that are not allowed."""
    dropped: int = 0
    """Messages whose work was not begun, because the queue was full."""


class OscDispatcher:
    """Dispatches the app's messages and our own commands.

    `is_allowed` decides by IP address; `notice` gets a line for each fault, `on_work` each message
    that leads to work, the kind of work and the sender. All of it belongs to the thread that
    listens, except the work of replies.
    """

    def __init__(
        self,
        controller: Controller,
        phone: PhoneApp,
        *,
        is_allowed: Callable[[str], bool],
        notice: Callable[[str], None],
        now: Callable[[], float],
        on_work: Callable[[Message, WorkKind, Address], None] = lambda *_: None,
    ) -> None:
        self.counters = ReceiveCounters()
        self._phone = phone
        self._commands = CommandHandler(controller, now)
        self._is_allowed = is_allowed
        self._notice = notice
        self._now = now
        self._on_work = on_work
        self._reported_s: deque[float] = deque(maxlen=MAX_REPORTED)

    def handle(self, datagram: bytes, sender: Address) -> list[Reply]:
        """Return the replies to a datagram; never raises for anything in it."""
        if not self._is_allowed(sender[0]):
            self.counters.rejected += 1
            self.report(f"{sender[0]} is not allowed to control the bridge; see `control: allow:`")
            return []
        try:
            if len(datagram) > MAX_DATAGRAM_BYTES:
                raise ValueError(f"more than {MAX_DATAGRAM_BYTES} bytes")  # noqa: TRY301
            messages = decode_packet(datagram)
            if len(messages) > MAX_MESSAGES:
                raise ValueError(f"more than {MAX_MESSAGES} messages")  # noqa: TRY301
        except ValueError as fault:
            self.counters.malformed += 1
            self.report(f"{sender[0]} sent a datagram that is not OSC: {fault}")
            return []
        return [self._handle(message, sender) for message in messages]

    def report(self, text: str) -> bool:
        """Show the user a line unless the limit is reached; return whether it was shown."""
        now_s = self._now()
        if len(self._reported_s) == MAX_REPORTED and now_s - self._reported_s[0] < REPORT_WINDOW_S:
            return False
        self._reported_s.append(now_s)
        self._notice(f"control: {text}")
        return True

    def reject(self, message: Message, sender: Address, error: UserError) -> Reply:
        """Report to the user, and to the sender, why a message failed."""
        self.counters.invalid += 1
        is_reported = self.report(f"{message.address[:80]} from {sender[0]}: {error}")
        return self._error_reply(message, sender, error) if is_reported else NO_REPLY

    def _error_reply(self, message: Message, sender: Address, error: UserError) -> Reply:
        """Return the error reply to a message; a reply itself gets none."""
        if message.address in REPLY_ADDRESSES:
            return NO_REPLY
        is_of_app = self._phone.accepts(message)
        to = self._phone.receivers_of(sender) if is_of_app else (sender,)
        return error_reply(message, error, to)

    def _handle(self, message: Message, sender: Address) -> Reply:
        try:
            reply = self._reply_to(message, sender)
        except UserError as error:
            return self.reject(message, sender, error)
        except Exception as error:  # noqa: BLE001 - remote control outlives a fault of ours
            return self._fail(message, sender, error)
        work = reply.work
        if work is None:
            return reply

        def guarded() -> Reply:
            try:
                return work()
            except UserError as error:
                rejection = self.reject(message, sender, error)
                # The outcome of a take is always reported: its sender relies on it.
                is_unreported = reply.kind is WorkKind.TAKES and rejection is NO_REPLY
                return self._error_reply(message, sender, error) if is_unreported else rejection
            except Exception as error:  # noqa: BLE001 - as below
                return self._fail(message, sender, error)

        busy = UserError(Problem("control", "too many requests at once", "try again"))
        if_dropped = self._error_reply(message, sender, busy).outgoing
        return replace(reply, work=guarded, if_dropped=if_dropped)

    def _fail(self, message: Message, sender: Address, error: Exception) -> Reply:
        what = f"an internal error: {type(error).__name__}: {error}"
        is_reported = self.report(f"{message.address[:80]}: {what}")
        fault = UserError(Problem("control", what))
        return self._error_reply(message, sender, fault) if is_reported else NO_REPLY

    def _reply_to(self, message: Message, sender: Address) -> Reply:
        if self._commands.accepts(message):
            reply = self._commands.handle(message, sender)
        elif self._phone.accepts(message):
            reply = self._phone.handle(message, sender)
        else:
            remedy = "docs/control.md lists all commands"
            raise UserError(Problem("control", "no command has this address", remedy))
        self.counters.handled += 1
        if reply.work is not None:
            self._on_work(message, reply.kind, sender)
        return reply


BATCH_DATAGRAMS = 8
"""Datagrams of one batch, about 0.2 ms of work."""

BATCH_PAUSE_S = 0.0025
"""Pause between two batches. A flood costs the threads of the face 8 % of a core at most; datagrams
beyond 3200 a second wait in the buffer of the system, which drops what it cannot hold."""

POLL_S = 0.2
"""Interval at which the thread checks whether it has to stop."""

LAMPS_S = 0.25
"""Time between two looks at the lamps, for those who asked for the state."""

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
        self._subscribers = StateSubscribers(self._send, lambda: self.phone.targets)
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
        self._controller = controller
        self._lamps = Worker(
            "lamps", self._watch_lamps, timeout_s=STOP_TIMEOUT_S, failed=self._report_failure
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
        self._lamps.start()

    def stop(self) -> None:
        """Announce the end to the targets, end the thread and free the port; idempotent."""
        was_running = self._worker.is_running
        self._lamps.stop()
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

    def _watch_lamps(self) -> None:
        while not self._lamps.wait(LAMPS_S):
            with suppress(UserError):
                self._subscribers.report_lamps(self._controller)

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

    def change_cues(self, keyframes: Mapping[str, Sequence[Keyframe]]) -> None:
        """Give these emotion cues from now on, as far as their time has not passed."""
        self._cues.change(emotion_cues(keyframes))

    def close(self) -> None:
        """Free the port; idempotent."""
        if self.server is not None:
            self.server.stop()
