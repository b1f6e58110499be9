"""An audio stream observed from outside: its clock and its last seconds.

A block can be late (scheduling, bursts, a stalled driver) but never early. So the earliest
arrivals lie on the true line between stream time and host time, and all others above it. The
earliest of every second is kept; a robust line (Theil-Sen) through the last of them gives offset
and drift.

One thread writes the history and one reads it. Samples are written before the count that makes
them visible, and the history is far longer than any reader is behind, so neither side needs a
lock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


WINDOW_S = 1.0
"""Host time from which one earliest arrival is kept."""

KEPT_WINDOWS = 16
"""Earliest arrivals the line goes through: long enough to separate 200 ppm (3.2 ms) from jitter."""

WINDOWS_FOR_DRIFT = 5
"""Earliest arrivals before their slope is believed."""

MAX_DRIFT_PPM = 1000.0
"""Sound cards stay within 200 ppm; a steeper line is an artefact."""

JUMP_S = 0.030
"""Distance from the line beyond which an arrival is no jitter: three blocks of 10 ms."""

PERSISTENT_S = 1.0
"""How long all arrivals must be late before the line is replaced; a shorter stall is ignored."""


@dataclass(frozen=True, slots=True)
class Line:
    """Host time `host_s` + (1 + `slope`) x (stream time - `stream_s`)."""

    stream_s: float
    host_s: float
    slope: float

    def host_time(self, stream_s: float) -> float:
        """Return the host time of a stream time."""
        return self.host_s + (1.0 + self.slope) * (stream_s - self.stream_s)

    def stream_time(self, host_s: float) -> float:
        """Return the stream time of a host time."""
        return self.stream_s + (host_s - self.host_s) / (1.0 + self.slope)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Host time at which the stream had arrived up to a stream time."""

    host_s: float
    stream_s: float

    @property
    def offset_s(self) -> float:
        """Host time minus stream time: least for the earliest."""
        return self.host_s - self.stream_s


class StreamClock:
    """Host time to stream time and back.

    One thread observes; any thread may read, because the line is swapped as a whole. The mapping is
    that of arrivals without jitter: at `host_s` the stream has arrived up to `stream_time(host_s)`.
    """

    def __init__(self) -> None:
        self.resyncs = 0
        """Number of persistent jumps that were followed."""
        self._line: Line | None = None
        self._restart()

    def _restart(self) -> None:
        self._earliest: deque[Arrival] = deque(maxlen=KEPT_WINDOWS)
        self._window: Arrival | None = None
        self._window_end_s = 0.0
        self._late: Arrival | None = None
        self._late_since_s = 0.0

    @property
    def is_synchronised(self) -> bool:
        """Whether anything was observed, so that times are known."""
        return self._line is not None

    @property
    def drift_ppm(self) -> float:
        """How much faster than the host's clock the stream's runs; 0 until it is known."""
        return 0.0 if self._line is None else (1.0 / (1.0 + self._line.slope) - 1.0) * 1e6

    def stream_time(self, host_s: float) -> float:
        """Return the stream time at a host time; ValueError before the first observation."""
        return self._known_line().stream_time(host_s)

    def host_time(self, stream_s: float) -> float:
        """Return the host time at a stream time; ValueError before the first observation."""
        return self._known_line().host_time(stream_s)

    def observe(self, arrived_s: float, stream_end_s: float) -> None:
        """Record that at `arrived_s` the stream had arrived up to `stream_end_s`."""
        arrival = Arrival(arrived_s, stream_end_s)
        if self._line is None:
            self._follow(arrival, slope=0.0)
            return
        lateness_s = arrived_s - self._line.host_time(stream_end_s)
        if lateness_s > JUMP_S:
            self._observe_late(arrival)
        elif lateness_s < -JUMP_S:
            self.resyncs += 1
            self._follow(arrival, self._line.slope)
        else:
            self._late = None
            self._observe_in_time(arrival)

    def reset(self) -> None:
        """Forget the line, for a stream that starts again; the count of re-syncs stays."""
        self._line = None
        self._restart()

    def _observe_late(self, arrival: Arrival) -> None:
        """Follow the earliest of a run of late arrivals once the run has lasted."""
        if self._late is None:
            self._late_since_s = arrival.host_s
            self._late = arrival
        elif arrival.offset_s < self._late.offset_s:
            self._late = arrival
        if arrival.host_s - self._late_since_s >= PERSISTENT_S:
            self.resyncs += 1
            self._follow(self._late, self._known_line().slope)

    def _observe_in_time(self, arrival: Arrival) -> None:
        if self._window is None or arrival.offset_s < self._window.offset_s:
            self._window = arrival
            if not self._earliest:
                # In the first window every earlier arrival is a better line.
                self._line = Line(arrival.stream_s, arrival.host_s, self._known_line().slope)
        if arrival.host_s >= self._window_end_s:
            self._earliest.append(self._window)
            self._window = None
            self._window_end_s = arrival.host_s + WINDOW_S
            self._fit()

    def _fit(self) -> None:
        """Fit the line to the kept arrivals: median slope, median offset."""
        arrivals = tuple(self._earliest)
        newest = arrivals[-1]
        slope = self._known_line().slope
        if len(arrivals) >= WINDOWS_FOR_DRIFT:
            steepness = median(
                (b.offset_s - a.offset_s) / (b.stream_s - a.stream_s)
                for a, b in combinations(arrivals, 2)
                if b.stream_s > a.stream_s
            )
            slope = min(max(steepness, -MAX_DRIFT_PPM * 1e-6), MAX_DRIFT_PPM * 1e-6)
        offset_s = median(a.offset_s + slope * (newest.stream_s - a.stream_s) for a in arrivals)
        self._line = Line(newest.stream_s, newest.stream_s + offset_s, slope)

    def _follow(self, arrival: Arrival, slope: float) -> None:
        self._restart()
        self._line = Line(arrival.stream_s, arrival.host_s, slope)
        self._window = arrival
        self._window_end_s = arrival.host_s + WINDOW_S

    def _known_line(self) -> Line:
        if self._line is None:
            raise ValueError("no block of the stream was observed yet")
        return self._line


HISTORY_S: Final = 8
"""Seconds that are kept."""

GUARD_S: Final = 1
"""Seconds of them, the oldest, that a reader does not touch."""


class AudioHistory:
    """The last seconds of a stream; samples are numbered from its start."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._samples = np.zeros(HISTORY_S * rate_hz, dtype=np.float32)
        self._end = 0

    @property
    def end(self) -> int:
        """The number of samples so far."""
        return self._end

    @property
    def begin(self) -> int:
        """The oldest sample that can still be read."""
        return max(0, self._end - (HISTORY_S - GUARD_S) * self.rate_hz)

    def write(self, samples: NDArray[np.float32]) -> None:
        """Add the next samples, [time], at most one second of them."""
        places = np.arange(self._end, self._end + len(samples)) % len(self._samples)
        self._samples[places] = samples
        self._end += len(samples)

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        """Return `count` samples from number `start` on; zeros for missing or overwritten ones."""
        samples = np.zeros(count, dtype=np.float32)
        first, last = max(start, self.begin), min(start + count, self._end)
        if first < last:
            places = np.arange(first, last) % len(self._samples)
            samples[first - start : last - start] = self._samples[places]
        return samples


class HistoryPosition(NamedTuple):
    """A time in an audio stream: `stream_s` seconds after the start of `history`."""

    history: AudioHistory
    stream_s: float
