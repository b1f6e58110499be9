"""What Switchboard says to a phone, line by line, and what it must be answered.

The messages, their order and their rhythm are those of Switchboard's device for the Live Link Face
app; a `1` stands behind messages that need no argument, as it sends them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.links.osc import Message

BEAT_S = 5.0
"""How often the battery is asked for."""

LOST_S = 11.0
"""Time without an answer after which a phone is lost."""

MACHINES = 2
"""Unreal machines that get the face."""

SUBJECT, SLATE = "Stage", "MySlate"

TIMECODE = "00:00:00.000"
"""What the app says in its confirmations."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its address and arguments; for a type, any value of it."""

    address: str
    arguments: tuple[str | int | float | type, ...] = ()

    def fits(self, message: Message) -> bool:
        """Whether a message is this answer."""
        if message.address != self.address or len(message.arguments) != len(self.arguments):
            return False
        pairs = zip(self.arguments, message.arguments, strict=True)
        return all(
            isinstance(got, wanted)
            if isinstance(wanted, type)
            else got == wanted and type(got) is type(wanted)
            for wanted, got in pairs
        )


@dataclass(frozen=True, slots=True)
class Line:
    """One message, `at_s` seconds after the minute's beginning, and its answer, if one is due."""

    at_s: float
    address: str
    arguments: tuple[str | int | float, ...] = ()
    answer: Reply | None = None
    patience_s: float = 2.0

    @property
    def is_beat(self) -> bool:
        """Whether a phone is lost without its answer."""
        return self.address == "/BatteryQuery"


def beat(at_s: float) -> Line:
    """Return the heartbeat."""
    return Line(at_s, "/BatteryQuery", (1,), Reply("/Battery", (1.0,)), LOST_S - BEAT_S)


def setup(target: tuple[str, int], machines: tuple[int, ...]) -> Iterator[Line]:
    """Yield what is said first: where answers go, who it is, and to whom it sends."""
    yield Line(0.0, "/OSCAddSendTarget", target, Reply("/OSCAddSendTargetConfirm"))
    yield Line(0.0, "/LiveLinkSubject", (SUBJECT,))
    yield Line(0.0, "/ARSessionStart", (1,), Reply("/ARSessionStartConfirm"))
    yield Line(0.0, "/ClearAllLiveLinkAddresses", (1,))
    for port in machines:
        yield Line(0.0, "/AddLiveLinkAddress", ("127.0.0.1", port))
    yield Line(0.0, "/LiveLinkStreamStart", (1,))


def minute(number: int) -> Iterator[Line]:
    """Yield one minute of work on a stage: a take, a look at the phone, a break."""
    take = number + 1
    started = Reply("/RecordStartConfirm", (TIMECODE,))
    stopped = Reply("/RecordStopConfirm", (TIMECODE, str, str))
    yield Line(2.0, "/VideoDisplayOn", (1,))
    yield Line(3.0, "/Slate", (SLATE,), Reply("/SlateConfirm"))
    yield Line(3.1, "/Take", (take,), Reply("/TakeConfirm"))
    yield Line(3.2, "/SlateQuery", (1,), Reply("/Slate", (SLATE,)))
    yield Line(3.3, "/TakeQuery", (1,), Reply("/Take", (take,)))
    yield Line(6.0, "/RecordStart", (SLATE, take), started)
    yield Line(12.0, "/ThermalsQuery", (1,), Reply("/Thermals", (0,)))
    yield Line(21.0, "/RecordStop", (1,), stopped, 5.0)
    yield Line(26.0, "/TakeQuery", (1,), Reply("/Take", (take + 1,)))
    yield Line(31.0, "/VideoDisplayOff", (1,))
    yield Line(32.0, "/LiveLinkStreamStop", (1,))
    yield Line(34.0, "/LiveLinkStreamStart", (1,))
    yield Line(41.0, "/ARSessionStop", (1,), Reply("/ARSessionStopConfirm"))
    yield Line(43.0, "/ARSessionStart", (1,), Reply("/ARSessionStartConfirm"))
