"""Replies to control messages: datagrams to send, and work for background threads, one for each
kind.
"""

from __future__ import annotations

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
