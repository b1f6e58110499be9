"""What follows from a message: datagrams to send, and work that may take its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    """Datagrams that leave at once, and work for another thread, which answers in its turn.

    `is_transport` tells work that waits for another machine from work that waits for our disk.
    """

    outgoing: tuple[Outgoing, ...] = ()
    work: Callable[[], Answer] | None = None
    is_transport: bool = False


NOTHING = Answer()


def said(to: Iterable[Address], address: str, *arguments: str | int | float) -> Answer:
    """Return the answer that sends one message to some."""
    datagram = encode_message(address, *arguments)
    return Answer(tuple(Outgoing(place, datagram) for place in to))
