"""How fast a link sends, and what keeps it from sending."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from bridge.monitor.rings import Rate

if TYPE_CHECKING:
    from collections.abc import Sequence


class Receiver(Protocol):
    """One target of a link."""

    failed: int
    last_error: str | None


class LinkCounters(Protocol):
    """What is read of a link: datagrams that left and that could not, of all its targets."""

    name: str

    @property
    def sent(self) -> int: ...  # noqa: D102 - see the class

    @property
    def failed(self) -> int: ...  # noqa: D102 - see the class

    @property
    def receivers(self) -> Sequence[Receiver]: ...  # noqa: D102 - see the class


class LinkMetrics:
    """How fast one link sends and fails. Written by the tick thread."""

    __slots__ = ("counters", "failures", "packets")

    def __init__(self, counters: LinkCounters) -> None:
        self.counters = counters
        self.packets = Rate()
        self.failures = Rate()

    def read(self, now_s: float) -> None:
        """Read the counters."""
        self.packets.read(now_s, self.counters.sent)
        self.failures.read(now_s, self.counters.failed)

    @property
    def last_error(self) -> str | None:
        """Why a target's datagrams do not leave; None while none was refused."""
        errors = (receiver.last_error for receiver in self.counters.receivers)
        return next((error for error in errors if error), None)
