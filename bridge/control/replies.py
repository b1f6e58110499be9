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
"""Pieces of work that wait, of each kind; the next is dropped and reported."""


class WorkKind(Enum):
    """Kinds of work, by what they wait for; each has a thread."""

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
    """Datagrams to send at once, and work for the thread of its kind, which gives another reply.

    `if_dropped` is sent in place of that reply where the queue of the thread is full.
    """

    outgoing: tuple[Outgoing, ...] = ()
    work: Callable[[], Reply] | None = None
    kind: WorkKind = WorkKind.FILES
    if_dropped: tuple[Outgoing, ...] = ()


NO_REPLY = Reply()


def message_reply(to: Iterable[Address], address: str, *arguments: str | int | float) -> Reply:
    """Return the reply that sends one message to each of `to`."""
    datagram = encode_message(address, *arguments)
    return Reply(tuple(Outgoing(place, datagram) for place in to))
