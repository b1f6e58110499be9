"""Faces and prosody of one subject by stream time, and the delay between audio and face."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cstalk_bridge.audio.source import HOP_S
from cstalk_bridge.face.procedural.prosody import SILENCE
from cstalk_bridge.models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cstalk_bridge.face.procedural.prosody import Prosody


CAPACITY_ROWS = 256
"""Rows kept: 5.1 s, ten times the longest delay between writing and reading a row."""
_ROUNDING_ROWS = 1e-6
"""Float noise of a read on the first or the newest row itself, in rows."""


class ReadTiming(Enum):
    """Where a reading falls in the timeline."""

    EARLY = "early"
    """Before the first row: there is no face yet."""
    LIVE = "live"
    """Between two rows: the face of exactly that time."""
    LATE = "late"
    """Past the newest row: the newest face."""


@dataclass(frozen=True, slots=True)
class TimelineReading:
    """The face at one stream time."""

    values: NDArray[np.float32] | None
    """float32 [channels]; None if `timing` is `EARLY`."""
    timing: ReadTiming
    received_s: float = 0.0
    """Host time at which the hop of the later row read was complete; 0 if `timing` is `EARLY`."""
    ready_s: float = 0.0
    """Host time at which that row was made; 0 if `timing` is `EARLY`."""
    late_s: float = 0.0
    """Time from the newest row to the reading; 0 unless `timing` is `LATE`."""


class Timeline:
    """A bounded ring of rows `[channels]` at 50 Hz.

    Row `i` is the face of stream time `i / 50` s; the first may be negative, where the generator's
    look-ahead makes it begin before the sound.
    """

    def __init__(self, channels: int) -> None:
        self._rows = np.zeros((CAPACITY_ROWS, channels), dtype=np.float32)
        self._received_ready_s = np.zeros((CAPACITY_ROWS, 2))
        self._first_row: int | None = None
        self._end_row = 0

    @property
    def newest_s(self) -> float:
        """The stream time of the newest row."""
        return (self._end_row - 1) / ROW_RATE_HZ

    def put(
        self,
        number: int,
        row: NDArray[np.float32] | None,
        received_s: float = 0.0,
        ready_s: float = 0.0,
    ) -> None:
        """Write row `number`, float32 [channels], and its times (see `TimelineReading`).

        None repeats the row before it. Rows missing since the newest are interpolated linearly; an
        existing row is replaced. Only the inference thread calls this.
        """
        if self._first_row is None:
            self._end_row = number  # before the row that the reader looks at first
            self._first_row = number
        newest = self._rows[(self._end_row - 1) % CAPACITY_ROWS].copy()
        end = newest if row is None else row
        first = max(min(number, self._end_row), number - CAPACITY_ROWS + 1)
        for other in range(first, number + 1):
            share = np.float32((other - first + 1) / (number - first + 1))
            slot = other % CAPACITY_ROWS
            self._rows[slot] = newest + share * (end - newest)
            self._received_ready_s[slot] = received_s, ready_s
        self._end_row = max(self._end_row, number + 1)

    def at(self, stream_s: float) -> TimelineReading:
        """Return the face of `stream_s`; between two rows it is interpolated linearly.

        A time older than the ring reads its oldest row. Only the tick thread calls this.
        """
        first, end = self._first_row, self._end_row
        position = stream_s * ROW_RATE_HZ
        if first is None or end == first or position < first - _ROUNDING_ROWS:
            return TimelineReading(None, ReadTiming.EARLY)
        newest = end - 1
        if position > newest + _ROUNDING_ROWS:
            slot = newest % CAPACITY_ROWS
            received_s, ready_s = self._received_ready_s[slot].tolist()
            late_s = (position - newest) / ROW_RATE_HZ
            return TimelineReading(
                self._rows[slot].copy(), ReadTiming.LATE, received_s, ready_s, late_s
            )
        # Half the ring is left to the writer, so that no row is overwritten while it is read.
        oldest = max(first, end - CAPACITY_ROWS // 2)
        position = min(max(position, oldest), newest)
        before = min(math.floor(position), newest)
        after = min(before + 1, newest)
        share = np.float32(position - before)
        earlier, later = self._rows[before % CAPACITY_ROWS], self._rows[after % CAPACITY_ROWS]
        received_s, ready_s = self._received_ready_s[after % CAPACITY_ROWS].tolist()
        return TimelineReading(
            earlier + share * (later - earlier), ReadTiming.LIVE, received_s, ready_s
        )


CAPACITY_HOPS = 256
"""Hops kept: 5.1 s, as long as a timeline's rows."""

STALE_S = 0.25
"""A reading this far past the newest hop assumes that the voice has fallen silent."""


class ProsodyLine:
    """The prosody of the last hops, a bounded ring: one thread writes, one reads, none waits."""

    def __init__(self) -> None:
        self._hops: list[Prosody] = [SILENCE] * CAPACITY_HOPS
        self._end = 0

    def put(self, index: int, prosody: Prosody) -> None:
        """Write hop `index`, which covers stream time `index` x 20 ms to (`index` + 1) x 20 ms.

        Indices rise; missing hops repeat the one before.
        """
        before = self._hops[(self._end - 1) % CAPACITY_HOPS]
        for missing in range(max(self._end, index - CAPACITY_HOPS + 1), index):
            self._hops[missing % CAPACITY_HOPS] = before
        self._hops[index % CAPACITY_HOPS] = prosody
        self._end = index + 1

    def at(self, stream_s: float) -> Prosody:
        """Return the prosody at `stream_s`; silence before the first hop.

        A time after the newest hop reads the newest, up to `STALE_S`; silence after it. A time
        older than half the ring reads the oldest hop of that half.
        """
        end = self._end
        hop = min(int(stream_s // HOP_S), end - 1)
        if hop < 0:
            return SILENCE
        prosody = self._hops[max(hop, end - CAPACITY_HOPS // 2, 0) % CAPACITY_HOPS]
        missing_s = stream_s - end * HOP_S
        return prosody if missing_s < STALE_S else prosody.silent(missing_s)


MIN_BUFFER_S = 0.003
"""The smallest adaptive buffer: a step of the network and one wake-up of a thread."""
MAX_BUFFER_S = 0.120
"""The largest: beyond it the delay does more harm than a frame held now and then."""
START_BUFFER_S = 0.006
"""Initial length of an adaptive buffer."""
BUFFER_MARGIN_S = 0.002
"""Margin above the need of the rows, for the noise of the clock."""
MEMORY_S = 10.0
"""Time for which a late row is remembered."""
TOLERATED_LATE_ROWS = 1
"""Rows within `MEMORY_S` which may be late: a single one adds no delay."""
BUFFER_SHRINK = 0.005
"""Rate at which a buffer shrinks, in s per s: playback at 1.005 of its speed is not visible."""
WARM_UP_S = 0.5
"""Time after the first row whose rows are ignored: threads and caches are still cold."""
STALL_S = 4 * MAX_BUFFER_S
"""A row later than this is a stall, which no buffer can hide, and is ignored."""


class Buffer(Protocol):
    """The jitter buffer of one voice; written by the inference thread, read by any."""

    is_adaptive: bool

    def at(self, host_s: float) -> float:
        """Return the buffer at a host time, in s."""

    def observe(self, needed_s: float, now_s: float) -> None:
        """Record that a row made at host time `now_s` came `needed_s` after its hop."""


class FixedBuffer:
    """A buffer of constant length, for users who delay the audio by a fixed time."""

    is_adaptive = False

    def __init__(self, length_s: float) -> None:
        self._length_s = length_s

    def at(self, host_s: float) -> float:  # noqa: ARG002 - as every buffer
        """Return the constant length in s, whatever the time."""
        return self._length_s

    def observe(self, needed_s: float, now_s: float) -> None:
        """Ignore the row."""


@dataclass(frozen=True, slots=True)
class _FallingLength:
    """A length that falls by `BUFFER_SHRINK` from host time `since_s` on, down to `least_s`."""

    length_s: float
    since_s: float
    least_s: float

    def at(self, host_s: float) -> float:
        fallen_s = BUFFER_SHRINK * max(0.0, host_s - self.since_s)
        return max(min(self.least_s, self.length_s), self.length_s - fallen_s)


class AdaptiveBuffer:
    """A buffer as long as recent rows needed, from `MIN_BUFFER_S` to `MAX_BUFFER_S`.

    It grows at once when rows are late; that is not visible, since the face was held at the newest
    row and goes on from it. It shrinks slowly once no row has been late for `MEMORY_S`.
    """

    is_adaptive = True

    def __init__(self, start_s: float = START_BUFFER_S) -> None:
        self._line = _FallingLength(start_s, 0.0, start_s)
        self._worst: dict[int, list[float]] = {}
        """The `TOLERATED_LATE_ROWS` + 1 greatest needs of each of the last `MEMORY_S` seconds."""
        self._target_s = MIN_BUFFER_S
        self._began_s: float | None = None

    def at(self, host_s: float) -> float:
        """Return the buffer at a host time, in s."""
        return self._line.at(host_s)

    def observe(self, needed_s: float, now_s: float) -> None:
        """Record that a row made at host time `now_s` came `needed_s` after its hop."""
        if self._began_s is None:
            self._began_s = now_s
        if needed_s > STALL_S or now_s < self._began_s + WARM_UP_S:
            return
        self._remember(needed_s, now_s)
        length_s = self.at(now_s)
        if self._target_s > length_s:
            self._line = _FallingLength(self._target_s, now_s, self._target_s)
        elif now_s - self._began_s >= MEMORY_S and self._line.least_s != self._target_s:
            self._line = _FallingLength(length_s, now_s, self._target_s)

    def _remember(self, needed_s: float, now_s: float) -> None:
        """Keep the greatest needs of each second, and the target length that follows."""
        second = int(now_s)
        worst = self._worst.get(second)
        if worst is not None and len(worst) > TOLERATED_LATE_ROWS and needed_s <= worst[-1]:
            return
        if worst is None:
            for old in [other for other in self._worst if other <= second - MEMORY_S]:
                del self._worst[old]
        self._worst[second] = sorted([*(worst or ()), needed_s], reverse=True)[
            : TOLERATED_LATE_ROWS + 1
        ]
        needs_s = sorted((need for each in self._worst.values() for need in each), reverse=True)
        need_s = needs_s[TOLERATED_LATE_ROWS] if len(needs_s) > TOLERATED_LATE_ROWS else 0.0
        self._target_s = min(max(need_s + BUFFER_MARGIN_S, MIN_BUFFER_S), MAX_BUFFER_S)


LOOKAHEAD_SLEW = 0.2
"""Rate of change of the look-ahead, in s per s: playback at 0.8 or 1.2 of its speed."""

EARLY_HOPS = 0.3
"""While the look-ahead shrinks, rows are made with a smaller one this much before it is shown: 30
ms at `LOOKAHEAD_SLEW`, more than passes between making and reading a row."""


@dataclass(frozen=True, slots=True)
class LookaheadRamp:
    """A look-ahead that moves from one value to another from host time `start_s` on."""

    before_s: float
    after_s: float
    start_s: float

    def at(self, host_s: float) -> float:
        """Return the look-ahead at a host time, in s."""
        gone_s = LOOKAHEAD_SLEW * max(0.0, host_s - self.start_s)
        way_s = self.after_s - self.before_s
        return (
            self.after_s if gone_s >= abs(way_s) else self.before_s + math.copysign(gone_s, way_s)
        )


class Delay:
    """The delay of the face behind the audio of one voice: look-ahead, one hop, and the buffer.

    `lookahead_s` is a whole number of hops. `lead_s` is added for a gate that looks ahead. One
    thread at a time may change them while others read.
    """

    def __init__(self, lookahead_s: float, buffer: Buffer, lead_s: float = 0.0) -> None:
        self.buffer = buffer
        self._ramp = LookaheadRamp(lookahead_s, lookahead_s, 0.0)
        self._lead = LookaheadRamp(lead_s, lead_s, 0.0)

    def change(self, lookahead_s: float, now_s: float) -> None:
        """Move to another look-ahead, in s, from its value at host time `now_s`."""
        self._ramp = LookaheadRamp(self._ramp.at(now_s), lookahead_s, now_s)

    def change_lead(self, lead_s: float, now_s: float) -> None:
        """Move to another lead of the gate, in s, from its value at host time `now_s`."""
        self._lead = LookaheadRamp(self._lead.at(now_s), lead_s, now_s)

    @property
    def lead_s(self) -> float:
        """The lead of the gate at the end of the present change, in s."""
        return self._lead.after_s

    @property
    def lookahead_s(self) -> float:
        """The look-ahead at the end of the present change, in s."""
        return self._ramp.after_s

    def beyond_lookahead_at(self, host_s: float) -> float:
        """Return the rest of the delay, in s: one hop, the buffer and the gate's lead."""
        return HOP_S + self.buffer.at(host_s) + self._lead.at(host_s)

    def at(self, host_s: float) -> float:
        """Return the delay at a host time, in s: from the arriving audio to the face shown."""
        return self._ramp.at(host_s) + self.beyond_lookahead_at(host_s)

    def hops_at(self, host_s: float) -> int:
        """Return the look-ahead of the rows made at a host time, in hops."""
        ramp = self._ramp
        shown = ramp.at(host_s) / HOP_S
        least = round(min(ramp.before_s, ramp.after_s) / HOP_S)
        early = EARLY_HOPS if shown * HOP_S > ramp.after_s else 0.0
        return max(least, math.floor(shown - early + 1e-6))
