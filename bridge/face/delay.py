"""How far behind its sound a face is shown, and how that changes while faces go on.

The face shown at host time t is that of stream time(t) - delay, with

    delay = look-ahead + one hop + buffer

because the row of a stream time is made when the sound up to a look-ahead later was heard, the
newest row is up to one hop old, interpolation needs the row after, and the buffer (`face.buffer`)
takes up what is not constant: the generator's work and the jitter of arrivals.

After a change of the look-ahead faces pass a little slower or faster until the new one is reached,
so that none of them jumps. Rows are made with the whole hops of look-ahead that have been reached;
those of a time of which there is one already replace it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.audio.hop import HOP_S

if TYPE_CHECKING:
    from bridge.face.buffer import Buffer

SLEW = 0.2
"""Look-ahead gained or given up in a second, in s: faces pass at 0.8 or 1.2 of their pace."""

EARLY_HOPS = 0.3
"""While the look-ahead shrinks, rows are made with a smaller one this much before it is shown: 30
ms, more than passes between a row being asked for and read."""


@dataclass(frozen=True, slots=True)
class Course:
    """A look-ahead that goes from one value to another from host time `start_s` on."""

    before_s: float
    after_s: float
    start_s: float

    def at(self, host_s: float) -> float:
        """Return the look-ahead at a host time, in s."""
        gone_s = SLEW * max(0.0, host_s - self.start_s)
        way_s = self.after_s - self.before_s
        return (
            self.after_s if gone_s >= abs(way_s) else self.before_s + math.copysign(gone_s, way_s)
        )


class Delay:
    """The delay of one voice; `lookahead_s` is a whole number of hops.

    One thread at a time may change it, while any others read it.
    """

    def __init__(self, lookahead_s: float, buffer: Buffer) -> None:
        self.buffer = buffer
        self._course = Course(lookahead_s, lookahead_s, 0.0)

    def change(self, lookahead_s: float, now_s: float) -> None:
        """Go over to another look-ahead, from where it is at host time `now_s`."""
        self._course = Course(self._course.at(now_s), lookahead_s, now_s)

    @property
    def lookahead_s(self) -> float:
        """The look-ahead that it has, or goes over to."""
        return self._course.after_s

    def beyond_lookahead_at(self, host_s: float) -> float:
        """Return what of the delay is not look-ahead."""
        return HOP_S + self.buffer.at(host_s)

    def at(self, host_s: float) -> float:
        """Return the stream time between the sound that arrives and the face that is shown."""
        return self._course.at(host_s) + self.beyond_lookahead_at(host_s)

    def hops_at(self, host_s: float) -> int:
        """Return the hops of look-ahead with which rows are made at a host time."""
        course = self._course
        shown = course.at(host_s) / HOP_S
        least = round(min(course.before_s, course.after_s) / HOP_S)
        early = EARLY_HOPS if shown * HOP_S > course.after_s else 0.0
        return max(least, math.floor(shown - early + 1e-6))
