"""Dispatches OSC datagrams to their handlers, within limits, and counts what it rejects."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cstalk_bridge.control.osc_commands import REPLY_ADDRESSES, CommandHandler, error_reply
from cstalk_bridge.control.replies import NO_REPLY, Reply, WorkKind
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.osc_messages import decode_packet

if TYPE_CHECKING:
    from collections.abc import Callable

    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.control.phone_app import PhoneApp
    from cstalk_bridge.control.replies import Address
    from cstalk_bridge.outputs.osc_messages import Message


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
