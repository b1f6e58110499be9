"""One stream: everything that arrives of one subject from one host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.listen.arrivals import Arrivals

if TYPE_CHECKING:
    from bridge.listen.sighting import Sighting
    from bridge.monitor.rings import Spread

MAX_CURVES = 512
"""Curves a stream keeps; a MetaHuman has 251."""

MAX_SENDERS = 8
"""Ports of one host that are told apart as senders of one subject."""

SENDER_S = 2.0
"""A port that was silent for longer is no sender any more."""

SILENT_S = 1.0
"""A stream is silent after that long without a datagram."""


@dataclass(frozen=True, slots=True)
class Key:
    """What makes a stream: two programs on one host that send one subject are one stream."""

    host: str
    port: int
    """The port here at which it arrives."""
    protocol: str
    subject: str
    device: str


@dataclass(frozen=True, slots=True, eq=False)
class StreamReport:
    """A stream at one moment. `lost` is None where frames have no numbers."""

    key: Key
    senders: tuple[int, ...]
    """Ports from which it came lately, the newest last."""
    datagrams: int
    frames: int
    rate_hz: float
    jitter: Spread | None
    lost: int | None
    late: int
    repeated: int
    restarts: int
    timecode: str
    silent_s: float
    note: str
    curves: dict[str, float]

    @property
    def is_silent(self) -> bool:
        """Whether nothing came for `SILENT_S`."""
        return self.silent_s > SILENT_S

    def strongest(self, count: int) -> list[tuple[str, float]]:
        """Return the curves furthest from 0, in the order in which the sender names them."""
        ranked = sorted(self.curves, key=lambda name: -abs(self.curves[name]))
        chosen = {name for name in ranked[:count] if abs(self.curves[name]) >= 0.005}
        return [(name, value) for name, value in self.curves.items() if name in chosen]


class Stream:
    """What is remembered of a stream, bounded whatever is sent."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.datagrams = 0
        self.arrivals = Arrivals()
        self.last_s = 0.0
        self._timecode = ""
        self._note = ""
        self._curves: dict[str, float] = {}
        self._of_this_frame: set[str] = set()
        self._senders: dict[int, float] = {}

    def add(self, sighting: Sighting, sender: int, now_s: float) -> None:
        """Take in what a datagram from port `sender`, come at host time `now_s`, says."""
        self.datagrams += 1
        self.last_s = now_s
        self._note = sighting.note
        self._senders.pop(sender, None)
        self._senders[sender] = now_s
        if len(self._senders) > MAX_SENDERS:
            del self._senders[next(iter(self._senders))]
        for _ in range(self._ended(sighting)):
            self.arrivals.add(now_s, sighting.time)
        if sighting.time is not None:
            self._timecode = sighting.time.label
            self._curves = {}
        for name, value in sighting.curves.items():
            if name in self._curves or len(self._curves) < MAX_CURVES:
                self._curves[name] = value

    def report(self, now_s: float) -> StreamReport:
        """Return how it stands at host time `now_s`."""
        arrivals = self.arrivals
        senders = [port for port, seen_s in self._senders.items() if now_s - seen_s < SENDER_S]
        return StreamReport(
            key=self.key,
            senders=tuple(senders or [*self._senders][-1:]),
            datagrams=self.datagrams,
            frames=arrivals.frames,
            rate_hz=arrivals.per_second(now_s),
            jitter=arrivals.jitter(),
            lost=arrivals.lost if arrivals.knows_losses else None,
            late=arrivals.late,
            repeated=arrivals.repeated,
            restarts=arrivals.restarts,
            timecode=self._timecode,
            silent_s=now_s - self.last_s,
            note=self._note,
            curves=dict(self._curves),
        )

    def _ended(self, sighting: Sighting) -> int:
        """Return how many frames the datagram ends, or begins where a protocol marks no end."""
        if sighting.frames is not None:
            return min(sighting.frames, 1)
        names = sighting.curves.keys()
        if names and (not self._of_this_frame or names & self._of_this_frame):
            self._of_this_frame = set(names)
            return 1
        if len(self._of_this_frame) < MAX_CURVES:
            self._of_this_frame |= names
        return 0
