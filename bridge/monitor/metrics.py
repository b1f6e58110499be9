"""Metrics of a run, of its links and of its subjects, in bounded rings.

Every field has one writing thread, named at its class. Monitors read at any time; nobody waits and
nothing grows. A reader copies a ring while the writer may be storing a value: it gets the newest
`capacity` values, with or without the one being written. Times are on the host clock, in seconds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cstalk_bridge.outputs.link import LinkStatus
from cstalk_bridge.outputs.udp import Delivery
from cstalk_bridge.rig.curves import Showing, neutral_board

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.audio.passthrough import PassthroughState
    from cstalk_bridge.audio.source import SourceState
    from cstalk_bridge.timecode.smpte import FrameRate
    from cstalk_bridge.timecode.tick import Tick
    from cstalk_bridge.timecode.time_of_day import TimeOfDay


CAPACITY = 512
"""Measurements kept by a ring: ten seconds of hops, nine seconds of ticks at 60 fps."""

RATE_WINDOW_S = 2.0
"""Window of a rate: short enough to show a stall, long enough for steady digits."""

RATE_CAPACITY = 256
"""Samples kept by a rate: four seconds of ticks at 60 fps, twice its window."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The median, 99th percentile and maximum of the newest measurements, in seconds."""

    median_s: float
    p99_s: float
    worst_s: float
    count: int


class Percentiles:
    """The newest `capacity` durations, in seconds."""

    __slots__ = ("_count", "_values")

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._values = np.zeros(capacity, dtype=np.float32)
        self._count = 0

    def add(self, value_s: float) -> None:
        """Add one duration, in place of the oldest."""
        self._values[self._count % len(self._values)] = value_s
        self._count += 1

    def clear(self) -> None:
        """Remove all measurements; not while another thread writes."""
        self._count = 0

    def spread(self, newest: int | None = None) -> Spread | None:
        """Return the spread of the `newest` measurements, by default of all kept.

        None without measurements.
        """
        count = self._count
        kept = min(count, len(self._values), newest or count)
        values = self._values[np.arange(count - kept, count) % len(self._values)]
        if not len(values):
            return None
        median_s, p99_s, worst_s = np.percentile(values, (50, 99, 100))
        return Spread(float(median_s), float(p99_s), float(worst_s), count)


@dataclass(frozen=True, slots=True)
class Shown:
    """What recent ticks showed."""

    live: int
    """Ticks that showed the frame of their time."""
    held: int
    """Ticks that showed an older frame."""
    resting: int
    """Ticks that showed none, although one was due."""
    behind_s: float
    """Median lateness of the frames of `held`."""

    @property
    def missed(self) -> int:
        """Ticks without the frame of their time."""
        return self.held + self.resting


class ShownFaces:
    """What the ticks of the last seconds showed."""

    __slots__ = ("_count", "_late_s", "_times_s")

    def __init__(self, capacity: int = RATE_CAPACITY) -> None:
        self._times_s = np.full(capacity, -np.inf)
        self._late_s = np.zeros(capacity)
        self._count = 0

    def add(self, now_s: float, late_s: float) -> None:
        """Record a tick: `late_s` is 0 for a live frame, infinite for none, else its lateness."""
        slot = self._count % len(self._times_s)
        self._times_s[slot], self._late_s[slot] = now_s, late_s
        self._count += 1

    def recent(self, now_s: float, window_s: float = RATE_WINDOW_S) -> Shown:
        """Return what the ticks of the last `window_s` seconds showed."""
        late_s = self._late_s[self._times_s > now_s - window_s]
        held_s = late_s[(late_s > 0.0) & np.isfinite(late_s)]
        return Shown(
            live=int(np.count_nonzero(late_s == 0.0)),
            held=len(held_s),
            resting=int(np.count_nonzero(np.isinf(late_s))),
            behind_s=float(np.median(held_s)) if len(held_s) else 0.0,
        )


class Rate:
    """Samples of a counter that only grows, and its rate.

    One thread samples it; any thread may `reset` what is counted as lost.
    """

    __slots__ = ("_before", "_count", "_times_s", "_totals")

    def __init__(self, capacity: int = RATE_CAPACITY) -> None:
        self._times_s = np.zeros(capacity)
        self._totals = np.zeros(capacity, dtype=np.int64)
        self._count = 0
        self._before = 0

    @property
    def lost(self) -> int:
        """What was counted since the last `reset`."""
        return self.total - self._before

    def reset(self) -> None:
        """Begin to count anew in `lost`; `total` and the rates go on."""
        self._before = self.total

    @property
    def total(self) -> int:
        """The newest sample of the counter, 0 before the first."""
        last = (self._count - 1) % len(self._totals)
        return int(self._totals[last]) if self._count else 0

    def read(self, now_s: float, total: int) -> None:
        """Sample the counter: `total` at host time `now_s`."""
        slot = self._count % len(self._totals)
        self._times_s[slot] = now_s
        self._totals[slot] = total
        self._count += 1

    def add(self, now_s: float, count: int = 1) -> None:
        """Increase the counter by `count` at host time `now_s`."""
        self.read(now_s, self.total + count)

    def recent(self, now_s: float) -> int:
        """Return the growth of the counter in the last `RATE_WINDOW_S` seconds."""
        times_s, totals = self._readings_in_order()
        if not len(totals):
            return 0
        before = int(np.searchsorted(times_s, now_s - RATE_WINDOW_S, side="right"))
        forgotten = self._count > len(totals)
        base = totals[before - 1] if before else totals[0] if forgotten else 0
        return int(totals[-1] - base)

    def per_second(self, now_s: float) -> float:
        """Return the rate over the last `RATE_WINDOW_S` seconds; 0 without samples in them."""
        times_s, totals = self._readings_in_order()
        inside = times_s > now_s - RATE_WINDOW_S
        if inside.sum() < 2:
            return 0.0
        times_s, totals = times_s[inside], totals[inside]
        span_s = times_s[-1] - times_s[0]
        return float((totals[-1] - totals[0]) / span_s) if span_s > 0 else 0.0

    def _readings_in_order(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return times and totals, oldest first, without the slot to be written next."""
        end = self._count
        start = max(0, end - len(self._totals) + 1)
        slots = np.arange(start, end) % len(self._totals)
        return self._times_s[slots], self._totals[slots]


class TargetCounters(Protocol):
    """The counters of one target of a link."""

    failed: int
    last_error: str | None


class LinkCounters(Protocol):
    """The counters of a link: datagrams sent and failed, and refusals, over all its targets.

    `status` returns what is known of its frames at a host time.
    """

    name: str

    @property
    def sent(self) -> int: ...  # noqa: D102 - see the class

    @property
    def failed(self) -> int: ...  # noqa: D102 - see the class

    @property
    def refused(self) -> int: ...  # noqa: D102 - see the class

    @property
    def receivers(self) -> Sequence[TargetCounters]: ...  # noqa: D102 - see the class

    def status(self, now_s: float) -> LinkStatus: ...  # noqa: D102 - see the class


class RecordingStatus(Protocol):
    """What is read of the take that is being recorded."""

    slate: str
    number: int

    @property
    def duration_s(self) -> float: ...  # noqa: D102 - see the class

    @property
    def lost(self) -> int: ...  # noqa: D102 - see the class


class EndedTakeStatus(Protocol):
    """What is read of a take that has ended: where it lies, and why it is not complete."""

    @property
    def folder(self) -> Path: ...  # noqa: D102 - see the class

    @property
    def problem(self) -> object | None: ...  # noqa: D102 - see the class


class TakeStatus(Protocol):
    """What is read of a recorder: the take it records and the last one of this run, or None."""

    @property
    def take(self) -> RecordingStatus | None: ...  # noqa: D102 - see the class

    @property
    def last(self) -> EndedTakeStatus | None: ...  # noqa: D102 - see the class


class PassthroughStatus(Protocol):
    """What is read of the audio passthrough of a subject."""

    device: str
    fault: str
    delay_ms: float
    state: PassthroughState

    @property
    def total_delay_ms(self) -> float: ...  # noqa: D102 - see the class

    @property
    def late_ms(self) -> float: ...  # noqa: D102 - see the class

    @property
    def offset_ms(self) -> float: ...  # noqa: D102 - see the class

    @property
    def underruns(self) -> int: ...  # noqa: D102 - see the class

    @property
    def jumps(self) -> int: ...  # noqa: D102 - see the class


class LinkMetrics:
    """Rates of sent and failed datagrams of one link. Written by the tick thread."""

    __slots__ = ("counters", "failures", "packets")

    def __init__(self, counters: LinkCounters) -> None:
        self.counters = counters
        self.packets = Rate()
        self.failures = Rate()

    def read(self, now_s: float) -> None:
        """Sample the counters at host time `now_s`."""
        self.packets.read(now_s, self.counters.sent)
        self.failures.read(now_s, self.counters.failed)

    def status(self, now_s: float) -> LinkStatus:
        """Return what is known of its frames: not sent, if some failed lately, or its own state."""
        if self.failures.recent(now_s):
            reason = self.last_error or "refused"
            return LinkStatus(Delivery.NOT_SENT, f"{reason}; check the address and the network")
        return self.counters.status(now_s)

    @property
    def last_error(self) -> str | None:
        """The error of the first target with one; None without errors."""
        errors = (receiver.last_error for receiver in self.counters.receivers)
        return next((error for error in errors if error), None)


LATENCY_PARTS: dict[str, str] = {
    "device": "buffering of the sound card, as far as its driver reports it",
    "block": "waiting of a sample for its 10 ms block to be full",
    "hop": "waiting of a block for its 20 ms hop to be full, and resampling",
    "inference": "from the full hop to its frame",
    "buffer": "waiting of a frame for its presentation time",
    "tick": "from the presentation time until the packet is sent",
}
"""The parts of the latency beyond the look-ahead, in the order of the signal path."""

DROP_CAUSES: dict[str, str] = {
    "blocks": "audio lost before inference",
    "hops": "audio skipped because inference was too slow",
    "late": "ticks that showed an older frame, or none, because theirs was not ready",
    "ticks": "ticks skipped because the machine was busy",
    "values": "frames with values that were not finite",
}
"""Losses by cause; datagrams that the system refused are counted by the links."""

SILENCE_DB = -50.0
"""Peak in dBFS below which a microphone has no speech: a quiet room has about -60."""

CLIPPING_DB = -1.0
"""Peak in dBFS above which the input is reported to clip."""

MAX_NOTICES = 32
"""Notices kept; a dashboard shows the last few, a log has written the earlier ones."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One line for the user about an event; `subject` is empty if it concerns all subjects.

    `number` counts all notices from 1, so that a reader sees when it has missed some.
    """

    number: int
    time_s: float
    subject: str
    text: str


class SubjectMetrics:
    """Metrics of one subject.

    The inference thread calls `record_level` and `set_input` and writes `starved_since_s` and
    `input_fault`; the tick thread calls `record_shown`, `record_face` and `read_links`; the
    controller writes `is_muted`, `is_paused` and `lookahead_ms`. Each part of the latency and each
    cause of drops has one thread that records it.
    """

    def __init__(self, name: str, links: Sequence[LinkCounters] = ()) -> None:
        self.name = name
        self.links = tuple(LinkMetrics(link) for link in links)
        self.input_name = ""
        self.input_state: SourceState | None = None
        self.input_fault = ""
        """Why its device is absent; empty while it is there."""
        self.is_device = False
        """Whether the input is a device, which can be unplugged."""
        self.starved_since_s: float | None = None
        """Host time since which no audio has arrived; None while it arrives."""
        self.level_db = -np.inf
        self.peak_db = -np.inf
        self.gate_open = False
        self.last_hop_s: float | None = None
        self.last_voice_s: float | None = None
        self.emotion_at: Callable[[float], Mapping[str, float]] = lambda _now_s: {}
        """Returns the emotion at a host time: weights by name."""
        self.is_muted = self.is_paused = False
        self.lookahead_ms = 0
        self.board: NDArray[np.float32] = neutral_board()
        self.frame: int | None = None
        self.shown = ShownFaces()
        self.buffer_at: Callable[[float], float] = lambda _now_s: 0.0
        """Returns the buffer at a host time, in s."""
        self.latency = {part: Percentiles() for part in LATENCY_PARTS}
        self.total = Percentiles()
        self.drops = {cause: Rate() for cause in DROP_CAUSES}
        self.passthrough: PassthroughStatus | None = None

    @property
    def losses(self) -> dict[str, int]:
        """Losses since the last reset, by cause; without the causes that lost nothing."""
        return {cause: rate.lost for cause, rate in self.drops.items() if rate.lost}

    def reset_losses(self) -> None:
        """Count losses, and datagrams that were not sent, anew from now on; for any thread."""
        for rate in (*self.drops.values(), *(link.failures for link in self.links)):
            rate.reset()

    def change_links(self, links: Sequence[LinkCounters]) -> None:
        """Measure other links; those that stay keep their rates. For the tick thread."""
        known = {id(link.counters): link for link in self.links}
        self.links = tuple(known.get(id(link)) or LinkMetrics(link) for link in links)

    @property
    def is_clipping(self) -> bool:
        """Whether the newest hop reached full scale, within 1 dB."""
        return self.peak_db > CLIPPING_DB

    def set_input(self, state: SourceState, name: str, *, is_device: bool = True) -> None:
        """Set the state and the name of the input, as users know it."""
        self.input_name = name
        self.input_state = state
        self.is_device = is_device

    def record_level(
        self, now_s: float, *, level_db: float, peak_db: float, gate_open: bool
    ) -> None:
        """Record the RMS level and peak in dBFS, and the noise gate, of one hop."""
        self.level_db, self.peak_db, self.gate_open = level_db, peak_db, gate_open
        if self.last_voice_s is None or (gate_open and peak_db > SILENCE_DB):
            self.last_voice_s = now_s
        self.last_hop_s = now_s

    def record_latency(self, part: str, duration_s: float) -> None:
        """Record one duration of a part of the latency; KeyError for none of `LATENCY_PARTS`."""
        self.latency[part].add(duration_s)

    def record_total_latency(self, duration_s: float) -> None:
        """Record the time from a sample's arrival until its packet was sent, less look-ahead."""
        self.total.add(duration_s)

    def record_drop(self, cause: str, now_s: float, number: int = 1) -> None:
        """Count losses; KeyError for a cause that is none of `DROP_CAUSES`."""
        self.drops[cause].add(now_s, number)

    def record_shown(self, showing: Showing, late_s: float, now_s: float) -> None:
        """Record what a tick showed, and how late the newest frame was, in s."""
        if showing is Showing.LIVE:
            self.shown.add(now_s, 0.0)
            return
        if not late_s or self.starved_since_s is not None:
            return  # No frame was due: none has been made yet, or no audio has come.
        self.shown.add(now_s, late_s if showing is Showing.HELD else np.inf)
        self.record_drop("late", now_s)

    def record_face(self, board: NDArray[np.float32], frame: int) -> None:
        """Record the board shown, float32 [174], never written to again, and its frame number."""
        self.board = board
        self.frame = frame

    def read_links(self, now_s: float) -> None:
        """Sample the counters of the links, once a tick, after they have sent."""
        for link in self.links:
            link.read(now_s)


class Metrics:
    """The metrics of all subjects, and what they share.

    The tick thread writes `tick_lateness` and `send` (the work of one tick), the inference thread
    `inference` (one batched step of all subjects) and `row` (its share per hop); any thread calls
    `notice`. `time_of_day` and `recorder` report their own state, and may be missing. `buffer_ms`
    is None if the buffer is adaptive.
    """

    def __init__(
        self,
        subjects: Sequence[SubjectMetrics],
        rate: FrameRate,
        *,
        buffer_ms: float | None,
        device: str = "",
        recorder: TakeStatus | None = None,
    ) -> None:
        self.subjects = tuple(subjects)
        self.rate = rate
        self.buffer_ms = buffer_ms
        self.device = device
        self.recorder = recorder
        self.time_of_day: TimeOfDay | None = None
        self.lost_log_records: Callable[[], int] = lambda: 0
        """Returns how many records could not be written to the log."""
        self.config_fault = ""
        """How many mistakes the config file has by now; empty while it has none."""
        self.priority = ""
        """The lower priority of the tick and the inference thread; empty until it is known."""
        self.tick_lateness = Percentiles()
        self.send = Percentiles()
        self.inference = Percentiles()
        self.row = Percentiles()
        self._numbers = count(1)
        self._notices: deque[Notice] = deque(maxlen=MAX_NOTICES)

    def record_tick(self, tick: Tick, skipped: int, done_s: float) -> None:
        """Record a tick whose faces were sent at host time `done_s`, and the ticks skipped so far.

        Called by the tick thread.
        """
        self.tick_lateness.add(tick.lateness_s)
        self.send.add(done_s - tick.due_s - tick.lateness_s)
        for subject in self.subjects:
            subject.drops["ticks"].read(done_s, skipped)

    def record_step(self, duration_s: float, hops: int) -> None:
        """Record the duration of a batched step of `hops` hops of each subject in it."""
        self.inference.add(duration_s)
        self.row.add(duration_s / hops)

    def notice(self, now_s: float, text: str, subject: str = "") -> None:
        """Add a notice for the user, in one line without a line break. For any thread."""
        self._notices.append(Notice(next(self._numbers), now_s, subject, text))

    def notices(self, after: int = 0) -> tuple[Notice, ...]:
        """Return the kept notices with a number above `after`, oldest first."""
        return tuple(notice for notice in tuple(self._notices) if notice.number > after)
