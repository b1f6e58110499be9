"""Dispatches OSC datagrams to their handlers, within limits, and counts what was refused."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cstalk_bridge.control.osc_commands import REPLY_ADDRESSES, CommandHandler, error_reply
from cstalk_bridge.control.replies import NO_REPLY, Reply, WorkKind
from cstalk_bridge.errors import Problem, UserError
from cstalk_bridge.outputs.osc_messages import decode_packet

if TYPE_CHECKING:
    from collections.abc import Callable

    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.control.phone_app import PhoneApp
    from cstalk_bridge.control.replies import Address
    from cstalk_bridge.outputs.osc_messages import Message


MAX_DATAGRAM_BYTES = 2048
"""Of a control message; a bundle of all commands at once has some hundred."""

MAX_MESSAGES = 32
"""Messages of one bundle that are followed."""

MAX_REPORTED = 6
"""Faults told of within `TOLD_S`, to the sender and to the user: a flood shall not become two."""

REPORT_WINDOW_S = 3.0


@dataclass(slots=True)
class ReceiveCounters:
    """What came to the door. Written by the thread that listens."""

    followed: int = 0
    """Messages that were done, or are being done."""
    refused: int = 0
    """Messages that could not be followed: unknown, or with wrong arguments."""
    broken: int = 0
    """Datagrams that are no OSC, too large, or hold too many messages."""
    turned_away: int = 0
    """Datagrams of senders that are not allowed."""
    left_out: int = 0
    """Messages whose work was not begun, because too much was waiting."""


class OscDispatcher:
    """One door for the app's messages and for ours.

    `is_allowed` decides by IP address who is heard; `notice` is told of faults, `followed` of each
    message that leads to work, of what kind and from whom. All of it belongs to the thread that
    listens, but for the work of answers.
    """

    def __init__(
        self,
        desk: Controller,
        phone: PhoneApp,
        *,
        is_allowed: Callable[[str], bool],
        notice: Callable[[str], None],
        now: Callable[[], float],
        followed: Callable[[Message, WorkKind, Address], None] = lambda *_: None,
    ) -> None:
        self.counters = ReceiveCounters()
        self._phone = phone
        self._own = CommandHandler(desk, now)
        self._is_allowed = is_allowed
        self._notice = notice
        self._now = now
        self._followed = followed
        self._told_s: deque[float] = deque(maxlen=MAX_REPORTED)

    def hear(self, datagram: bytes, sender: Address) -> list[Reply]:
        """Return what follows from a datagram; never raises for anything in it."""
        if not self._is_allowed(sender[0]):
            self.counters.turned_away += 1
            self.tell(f"{sender[0]} is not allowed to control; see `control: allow:`")
            return []
        try:
            if len(datagram) > MAX_DATAGRAM_BYTES:
                raise ValueError(f"more than {MAX_DATAGRAM_BYTES} bytes")  # noqa: TRY301
            messages = decode_packet(datagram)
            if len(messages) > MAX_MESSAGES:
                raise ValueError(f"more than {MAX_MESSAGES} messages")  # noqa: TRY301
        except ValueError as fault:
            self.counters.broken += 1
            self.tell(f"{sender[0]} sends what is no OSC message: {fault}")
            return []
        return [self._follow(message, sender) for message in messages]

    def tell(self, text: str) -> bool:
        """Tell the user, unless too much was told lately; return whether it was."""
        now_s = self._now()
        if len(self._told_s) == MAX_REPORTED and now_s - self._told_s[0] < REPORT_WINDOW_S:
            return False
        self._told_s.append(now_s)
        self._notice(f"control: {text}")
        return True

    def refuse(self, message: Message, sender: Address, error: UserError) -> Reply:
        """Tell the user, and the sender, why a message was not followed."""
        self.counters.refused += 1
        is_told = self.tell(f"{message.address[:80]} of {sender[0]}: {error}")
        return self._refusal(message, sender, error) if is_told else NO_REPLY

    def _refusal(self, message: Message, sender: Address, error: UserError) -> Reply:
        """Return what tells that a message was not followed; what is itself an answer gets none."""
        if message.address in REPLY_ADDRESSES:
            return NO_REPLY
        is_of_app = self._phone.knows(message)
        to = self._phone.listeners(sender) if is_of_app else (sender,)
        return error_reply(message, error, to)

    def _follow(self, message: Message, sender: Address) -> Reply:
        try:
            answer = self._answer(message, sender)
        except UserError as error:
            return self.refuse(message, sender, error)
        except Exception as error:  # noqa: BLE001 - the door stays open after a fault of ours
            return self._fail(message, sender, error)
        work = answer.work
        if work is None:
            return answer

        def guarded() -> Reply:
            try:
                return work()
            except UserError as error:
                answered = self.refuse(message, sender, error)
                # Of a take it is always told: who recorded it goes home with it.
                is_untold = answer.kind is WorkKind.TAKES and answered is NO_REPLY
                return self._refusal(message, sender, error) if is_untold else answered
            except Exception as error:  # noqa: BLE001 - as below
                return self._fail(message, sender, error)

        busy = UserError(Problem("control", "too much is asked for at once", "ask again"))
        left_out = self._refusal(message, sender, busy).outgoing
        return replace(answer, work=guarded, left_out=left_out)

    def _fail(self, message: Message, sender: Address, error: Exception) -> Reply:
        what = f"a fault of the program: {type(error).__name__}: {error}"
        is_told = self.tell(f"{message.address[:80]}: {what}")
        fault = UserError(Problem("control", what))
        return self._refusal(message, sender, fault) if is_told else NO_REPLY

    def _answer(self, message: Message, sender: Address) -> Reply:
        if self._own.knows(message):
            answer = self._own.hear(message, sender)
        elif self._phone.knows(message):
            answer = self._phone.hear(message, sender)
        else:
            remedy = "docs/control.md lists all there are"
            raise UserError(Problem("control", "this address is no command", remedy))
        self.counters.followed += 1
        if answer.work is not None:
            self._followed(message, answer.kind, sender)
        return answer
