"""How long a face waits between being made and being shown, so that late rows are not seen.

A row is needed when its hop is complete, plus the buffer. What it was late against the hop itself
is what the buffer must be to hide it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

LEAST_S = 0.003
"""The smallest adaptive buffer: a step of the network and one wake-up of a thread."""
MOST_S = 0.120
"""The largest: beyond it a face that is held now and then is less harm than the delay."""
START_S = 0.006
"""Where an adaptive buffer begins."""
MARGIN_S = 0.002
"""Kept above what rows need, for the noise of the clock."""
MEMORY_S = 10.0
"""Time for which a late row counts."""
TOLERATED = 1
"""Rows within `MEMORY_S` which may be late: a single hiccup makes no delay."""
SHRINK = 0.005
"""Buffer given up in a second, in s: faces pass at 1.005 of their pace, which nobody sees."""
SETTLING_S = 0.5
"""Time after the first row whose rows do not count: threads and caches are still cold."""
STALL_S = 4 * MOST_S
"""A row later than this tells of a stall, which no buffer hides; it does not count."""


class Buffer(Protocol):
    """The buffer of one voice; written by the inference thread, read by any."""

    is_adaptive: bool

    def at(self, host_s: float) -> float:
        """Return the buffer at a host time, in s."""

    def observe(self, needed_s: float, now_s: float) -> None:
        """Take that a row made at host time `now_s` came `needed_s` after its hop was complete."""


class FixedBuffer:
    """A buffer of one length, for those who align sound by hand."""

    is_adaptive = False

    def __init__(self, length_s: float) -> None:
        self._length_s = length_s

    def at(self, host_s: float) -> float:  # noqa: ARG002 - as every buffer
        """Return its length."""
        return self._length_s

    def observe(self, needed_s: float, now_s: float) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A length that falls by `SHRINK` from host time `since_s` on, down to `least_s`."""

    length_s: float
    since_s: float
    least_s: float

    def at(self, host_s: float) -> float:
        fallen_s = SHRINK * max(0.0, host_s - self.since_s)
        return max(min(self.least_s, self.length_s), self.length_s - fallen_s)


class AdaptiveBuffer:
    """A buffer as long as rows have lately needed, within `LEAST_S` to `MOST_S`.

    It grows at once when rows come late, which is not seen: the face was held at the newest row,
    and goes on from it. It shrinks slowly once they have not been late for `MEMORY_S`.
    """

    is_adaptive = True

    def __init__(self, start_s: float = START_S) -> None:
        self._line = _Line(start_s, 0.0, start_s)
        self._worst: dict[int, list[float]] = {}
        """The `TOLERATED` + 1 greatest needs of each of the last `MEMORY_S` seconds."""
        self._target_s = LEAST_S
        self._began_s: float | None = None

    def at(self, host_s: float) -> float:
        """Return the buffer at a host time, in s."""
        return self._line.at(host_s)

    def observe(self, needed_s: float, now_s: float) -> None:
        """Take that a row made at host time `now_s` came `needed_s` after its hop was complete."""
        if self._began_s is None:
            self._began_s = now_s
        if needed_s > STALL_S or now_s < self._began_s + SETTLING_S:
            return
        self._remember(needed_s, now_s)
        length_s = self.at(now_s)
        if self._target_s > length_s:
            self._line = _Line(self._target_s, now_s, self._target_s)
        elif now_s - self._began_s >= MEMORY_S and self._line.least_s != self._target_s:
            self._line = _Line(length_s, now_s, self._target_s)

    def _remember(self, needed_s: float, now_s: float) -> None:
        """Keep the greatest needs of each second, and what they ask for."""
        second = int(now_s)
        worst = self._worst.get(second)
        if worst is not None and len(worst) > TOLERATED and needed_s <= worst[-1]:
            return
        if worst is None:
            for old in [other for other in self._worst if other <= second - MEMORY_S]:
                del self._worst[old]
        self._worst[second] = sorted([*(worst or ()), needed_s], reverse=True)[: TOLERATED + 1]
        needs_s = sorted((need for each in self._worst.values() for need in each), reverse=True)
        need_s = needs_s[TOLERATED] if len(needs_s) > TOLERATED else 0.0
        self._target_s = min(max(need_s + MARGIN_S, LEAST_S), MOST_S)
