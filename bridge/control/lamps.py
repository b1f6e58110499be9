"""Who is told, unasked, whether a take is recorded, and what becomes of one that is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.control.answer import Answer, said
from bridge.control.commands import COMMANDS
from bridge.control.own import told_error
from bridge.control.state import record_state
from bridge.control.worker import Kind
from bridge.errors import UserError
from bridge.links.osc import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.control.answer import Address
    from bridge.recording.open_take import Recorded
    from bridge.recording.recorder import Recorder

MAX_REMEMBERED = 8
"""Senders that are told; a new one takes the place of the one that asked longest ago."""

STATE = COMMANDS["/state"].address
ADDRESS = record_state(is_on=True)[0]


class Lamps:
    """Those who asked for the state or for a take; `send` sends from any thread.

    The first are told whether a take is recorded whenever that changes. Both, and the app's
    `targets`, are told of a take that is lost, as soon as it is.
    """

    def __init__(
        self, send: Callable[[Answer], None], targets: Callable[[], Iterable[Address]]
    ) -> None:
        self._send = send
        self._targets = targets
        self._watching: tuple[Address, ...] = ()
        self._recording: tuple[Address, ...] = ()

    def hear(self, message: Message, kind: Kind, sender: Address) -> None:
        """Take note of a message that led to work of some kind; one thread at a time."""
        if message.address == STATE:
            self._watching = _added(self._watching, sender)
        elif kind is Kind.TAKES:
            self._recording = _added(self._recording, sender)

    def watch(self, recorder: Recorder) -> None:
        """Tell of all that is recorded."""
        recorder.watch(lambda _take: self._tell(is_on=True), self._ended)

    def _tell(self, *, is_on: bool) -> None:
        self._send(said(self._watching, *record_state(is_on=is_on)))

    def _ended(self, take: Recorded) -> None:
        self._tell(is_on=False)
        if take.problem is not None:
            to = dict.fromkeys((*self._targets(), *self._watching, *self._recording))
            self._send(told_error(Message(ADDRESS, ()), UserError(take.problem), to))


def _added(senders: tuple[Address, ...], sender: Address) -> tuple[Address, ...]:
    others = tuple(other for other in senders if other != sender)
    return (*others, sender)[-MAX_REMEMBERED:]
