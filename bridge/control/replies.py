"""Replies to control messages: datagrams to send, and work for background threads, one for each
kind.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from cstalk_bridge.outputs.osc_messages import encode_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


MAX_WAITING = 32
"""Pieces of work that wait, of each kind; the next is left out and told."""


class WorkKind(Enum):
    """What a piece of work waits for."""

    TAKES = "takes"
    """The disk on which takes are recorded; nothing else waits in their way."""
    FILES = "files"
    """Other files: rig maps, networks."""
    QUESTIONS = "questions"
    """Nothing; the answer is long."""
    NAMES = "names"
    """A name server, which may be silent for half a minute."""
    TRANSPORT = "transport"
    """Another machine that takes a file."""


class Worker:
    """A thread for one kind of work, and a bound on what waits for it."""

    def __init__(self, kind: WorkKind, send: Callable[[Reply], None]) -> None:
        self._waiting: queue.Queue[Callable[[], Reply] | None] = queue.Queue(MAX_WAITING)
        self._send = send
        threading.Thread(target=self._run, name=f"control-{kind.value}", daemon=True).start()

    def begin(self, work: Callable[[], Reply] | None) -> bool:
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


Address = tuple[str, int]
"""IP address and port."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One datagram and where it goes."""

    to: Address
    datagram: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """Datagrams that leave at once, and work for the thread of its kind, which answers in its turn.

    `left_out` leaves in place of that answer where too much waits for the thread.
    """

    outgoing: tuple[Outgoing, ...] = ()
    work: Callable[[], Reply] | None = None
    kind: WorkKind = WorkKind.FILES
    left_out: tuple[Outgoing, ...] = ()


NO_REPLY = Reply()


def message_reply(to: Iterable[Address], address: str, *arguments: str | int | float) -> Reply:
    """Return the answer that sends one message to some."""
    datagram = encode_message(address, *arguments)
    return Reply(tuple(Outgoing(place, datagram) for place in to))
