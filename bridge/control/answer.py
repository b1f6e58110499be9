"""What follows from a message: datagrams to send, and work that may take its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.control.worker import Kind
from bridge.links.osc import encode_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Address = tuple[str, int]
"""IP address and port."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One datagram and where it goes."""

    to: Address
    datagram: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """Datagrams that leave at once, and work for the thread of its kind, which answers in its turn.

    `left_out` leaves in place of that answer where too much waits for the thread.
    """

    outgoing: tuple[Outgoing, ...] = ()
    work: Callable[[], Answer] | None = None
    kind: Kind = Kind.FILES
    left_out: tuple[Outgoing, ...] = ()


NOTHING = Answer()


def said(to: Iterable[Address], address: str, *arguments: str | int | float) -> Answer:
    """Return the answer that sends one message to some."""
    datagram = encode_message(address, *arguments)
    return Answer(tuple(Outgoing(place, datagram) for place in to))
