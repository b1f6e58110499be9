"""Received streams: rate, jitter, losses and rejected datagrams, bounded for every sender."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.monitor.metrics import Rate, Spread
from cstalk_bridge.outputs.registry import OUTPUTS

if TYPE_CHECKING:
    from cstalk_bridge.outputs.protocol import FrameTime, StreamFrame


def recognise(datagram: bytes) -> list[StreamFrame]:
    """Return a frame for each stream that a datagram belongs to.

    ValueError, with a message for the user, for an unknown protocol or a damaged datagram.
    """
    candidates = [each for each in OUTPUTS.values() if datagram.startswith(each.starts)]
    if not candidates:
        start = datagram[:4].hex(" ")
        what = f"{len(datagram)} bytes of another protocol, they begin with {start or '-'}"
        raise ValueError(what)
    return [frame for protocol in candidates for frame in protocol.recognise(datagram)]


JITTER_CAPACITY = 512
"""Arrivals of which the jitter is taken: 8 seconds at 60 fps."""

RATE_CAPACITY = 2048
"""Arrivals of which the rate is taken: its two seconds at `MAX_RATE_HZ`."""

RESTART_S = 10.0
"""A jump of the frame number by more is another beginning, and no loss."""


class ArrivalStatistics:
    """The frames of one stream.

    `lost` counts frame numbers that were left out, `late` frames that came after a newer one
    (these are not lost), `repeated` frames that came twice, `restarts` jumps of the frame number.
    Without frame numbers all four stay 0.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.lost = 0
        self.late = 0
        self.repeated = 0
        self.restarts = 0
        self._newest: FrameTime | None = None
        self._rate = Rate(RATE_CAPACITY)
        self._count = 0
        self._times_s = np.zeros(JITTER_CAPACITY)
        self._due_s = np.full(JITTER_CAPACITY, np.nan)

    @property
    def knows_losses(self) -> bool:
        """Whether the frames have numbers."""
        return self._newest is not None

    def add(self, now_s: float, time: FrameTime | None = None) -> None:
        """Count a frame that came at host time `now_s`."""
        self.frames += 1
        self._rate.add(now_s)
        if time is not None:
            self._number(time)
        slot = self._count % JITTER_CAPACITY
        self._times_s[slot] = now_s
        self._due_s[slot] = np.nan if time is None else time.seconds
        self._count += 1

    def per_second(self, now_s: float) -> float:
        """Return the frames a second, over the last two seconds."""
        return self._rate.per_second(now_s)

    def jitter(self) -> Spread | None:
        """Return by how much the time between two frames was off, None for less than three.

        Deviation from the frame numbers; without them, from the median time between two frames.
        """
        kept = min(self._count, JITTER_CAPACITY)
        if kept < 3:
            return None
        slots = np.arange(self._count - kept, self._count) % JITTER_CAPACITY
        gaps_s = np.diff(self._times_s[slots])
        due_s = np.diff(self._due_s[slots])
        expected_s = np.where(np.isfinite(due_s), due_s, np.median(gaps_s))
        median_s, p99_s, worst_s = np.percentile(np.abs(gaps_s - expected_s), (50, 99, 100))
        return Spread(float(median_s), float(p99_s), float(worst_s), len(gaps_s))

    def _number(self, time: FrameTime) -> None:
        newest = self._newest
        if newest is None or _is_restart(newest, time):
            self.restarts += newest is not None
            self._newest = time
            self._count = 0
            return
        # Rounded, for the frame times of phones drift against their frame numbers.
        step = round(time.position - newest.position)
        if step > 0:
            self.lost += step - 1
            self._newest = time
        elif step == 0:
            self.repeated += 1
        else:
            self.late += 1
            self.lost = max(self.lost - 1, 0)


def _is_restart(newest: FrameTime, time: FrameTime) -> bool:
    if (newest.numerator, newest.denominator) != (time.numerator, time.denominator):
        return True
    return abs(time.seconds - newest.seconds) > RESTART_S


MAX_CURVES = 512
"""Curves a stream keeps; a MetaHuman has 251."""

MAX_SENDERS = 8
"""Ports of one host that are counted as senders of one subject."""

SENDER_S = 2.0
"""A port that was silent for longer is a sender no longer."""

SILENT_S = 1.0
"""A stream is silent after that long without a datagram."""


@dataclass(frozen=True, slots=True)
class StreamKey:
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

    key: StreamKey
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
    """State of a stream, bounded whatever is sent."""

    def __init__(self, key: StreamKey) -> None:
        self.key = key
        self.datagrams = 0
        self.arrivals = ArrivalStatistics()
        self.last_s = 0.0
        self._timecode = ""
        self._note = ""
        self._curves: dict[str, float] = {}
        self._of_this_frame: set[str] = set()
        self._senders: dict[int, float] = {}

    def add(self, frame: StreamFrame, sender: int, now_s: float) -> None:
        """Add the frame of a datagram from port `sender` that arrived at host time `now_s`."""
        self.datagrams += 1
        self.last_s = now_s
        self._note = frame.note
        self._senders.pop(sender, None)
        self._senders[sender] = now_s
        if len(self._senders) > MAX_SENDERS:
            del self._senders[next(iter(self._senders))]
        for _ in range(self._ended(frame)):
            self.arrivals.add(now_s, frame.time)
        if frame.time is not None:
            self._timecode = frame.time.label
            self._curves = {}
        for name, value in frame.curves.items():
            if name in self._curves or len(self._curves) < MAX_CURVES:
                self._curves[name] = value

    def report(self, now_s: float) -> StreamReport:
        """Return its state at host time `now_s`."""
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

    def _ended(self, frame: StreamFrame) -> int:
        """Return how many frames the datagram ends, or begins where a protocol marks no end."""
        if frame.frames is not None:
            return min(frame.frames, 1)
        names = frame.curves.keys()
        if names and (not self._of_this_frame or names & self._of_this_frame):
            self._of_this_frame = set(names)
            return 1
        if len(self._of_this_frame) < MAX_CURVES:
            self._of_this_frame |= names
        return 0


MAX_STREAMS = 64
"""Streams that are remembered: 16 subjects over four protocols."""

MAX_STREAMS_OF_HOST = 16
"""Streams of one host, so that one that makes up names leaves room for the others."""

MAX_HOSTS = 64
"""Hosts whose rejected datagrams are counted separately."""

FORGET_AFTER_S = 10.0
"""A stream that was silent for as long makes room for another one."""


@dataclass(frozen=True, slots=True)
class RejectedSender:
    """Datagrams of a host that belong to no stream: how many, and why the last one."""

    host: str
    port: int
    count: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class ListenReport:
    """All that arrived, at one moment; streams in the order in which they began."""

    streams: tuple[StreamReport, ...]
    rejections: tuple[RejectedSender, ...]
    datagrams: int
    rejected: int
    """Datagrams, or parts of them, that belong to no stream, of all hosts."""


class Streams:
    """What arrived; one thread may `add` while others ask for a `report`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: dict[StreamKey, Stream] = {}
        self._rejections: dict[str, RejectedSender] = {}
        self._datagrams = 0
        self._rejected = 0

    def add(self, datagram: bytes, sender: tuple[str, int], port: int, now_s: float) -> None:
        """Add a datagram that arrived at host time `now_s` at our `port`; never raises."""
        host, sender_port = sender
        try:
            frames = recognise(datagram)
        except ValueError as error:
            with self._lock:
                self._datagrams += 1
                self._reject(host, port, str(error))
            return
        with self._lock:
            self._datagrams += 1
            for frame in frames:
                stream = self._stream(frame, host, port, now_s)
                if stream is None:
                    self._reject(host, port, "more subjects than can be shown")
                else:
                    stream.add(frame, sender_port, now_s)

    def report(self, now_s: float) -> ListenReport:
        """Return the state of everything at host time `now_s`."""
        with self._lock:
            return ListenReport(
                tuple(stream.report(now_s) for stream in self._streams.values()),
                tuple(self._rejections.values()),
                self._datagrams,
                self._rejected,
            )

    def _stream(self, frame: StreamFrame, host: str, port: int, now_s: float) -> Stream | None:
        key = StreamKey(host, port, frame.protocol, frame.subject, frame.device)
        if key in self._streams:
            return self._streams[key]
        of_host = [stream for stream in self._streams.values() if stream.key.host == host]
        if len(of_host) >= MAX_STREAMS_OF_HOST and not self._forget(of_host, now_s):
            return None
        if len(self._streams) >= MAX_STREAMS and not self._forget([*self._streams.values()], now_s):
            return None
        self._streams[key] = Stream(key)
        return self._streams[key]

    def _forget(self, streams: list[Stream], now_s: float) -> bool:
        """Forget the one of these that is silent longest, if that is long enough."""
        oldest = min(streams, key=lambda stream: stream.last_s)
        if now_s - oldest.last_s < FORGET_AFTER_S:
            return False
        del self._streams[oldest.key]
        return True

    def _reject(self, host: str, port: int, reason: str) -> None:
        self._rejected += 1
        before = self._rejections.get(host)
        if before is None and len(self._rejections) >= MAX_HOSTS:
            return
        count = before.count + 1 if before else 1
        self._rejections[host] = RejectedSender(host, port, count, reason)
