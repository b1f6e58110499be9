"""Status of a run as plain lines, and the thread that prints them where there is no dashboard.

Monitors only read, at most four times a second, and whatever goes wrong in them stays in them. A
terminal or a pipe that was closed ends the run: nobody could see how it fares, or end it by a key.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from cstalk_bridge.monitor.health import Health, HealthState, Lamp, health, lamps
from cstalk_bridge.system.worker import Worker
from cstalk_bridge.timecode.chase import SyncState
from cstalk_bridge.timecode.smpte import Timecode

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from cstalk_bridge.monitor.metrics import Metrics, SubjectMetrics


STATUS_EVERY_S = 5.0
"""Time between two status lines."""


class StatusReport:
    """Turns metrics into lines, each thing once: pure apart from what it has said already."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._last_notice = 0
        self._states = [HealthState.STARTING] * len(metrics.subjects)
        self._lamps: list[tuple[Lamp, ...]] = [()] * len(metrics.subjects)
        self._next_status_s: float | None = None

    def lines(self, now_s: float) -> list[str]:
        """Return what is new at `now_s`: notices, changes of state, and a line now and then."""
        lines = self._new_notices()
        for index, subject in enumerate(self._metrics.subjects):
            found = health(self._metrics, subject, now_s)
            if found.state is not self._states[index]:
                self._states[index] = found.state
                lines.append(f"{subject.name}: {_health_text(found)}")
            lines += self._switched(index, subject)
        if self._next_status_s is None:
            self._next_status_s = now_s + STATUS_EVERY_S
        elif now_s >= self._next_status_s:
            self._next_status_s = now_s + STATUS_EVERY_S
            lines.append(status_line(self._metrics, now_s))
        return lines

    def _switched(self, index: int, subject: SubjectMetrics) -> list[str]:
        before, self._lamps[index] = self._lamps[index], lamps(self._metrics, subject)
        after = self._lamps[index]
        return [
            f"{subject.name}: {lamp.value} {'on' if lamp in after else 'off'}"
            for lamp in Lamp
            if (lamp in before) is not (lamp in after)
        ]

    def _new_notices(self) -> list[str]:
        notices = self._metrics.notices(after=self._last_notice)
        if notices:
            self._last_notice = notices[-1].number
        return [f"{n.subject}: {n.text}" if n.subject else n.text for n in notices]


def status_line(metrics: Metrics, now_s: float) -> str:
    """Return one line on all subjects: timecode, state, level, packets, latency and losses."""
    parts = [
        timecode_label(metrics),
        *filter(None, (time_status(metrics, now_s), take_status(metrics))),
    ]
    parts += [_subject_status(metrics, subject, now_s) for subject in metrics.subjects]
    return " | ".join(parts)


def time_status(metrics: Metrics, now_s: float) -> str:
    """Return where the time of day comes from and how ours stands beside it, "" without any."""
    source = metrics.time_of_day
    if source is None:
        return ""
    status = source.status(now_s)
    if status.sync is SyncState.LOST:
        return f"{source.text} {status.sync.value}"
    return f"{source.text} {status.sync.value} {1e3 * status.ahead_s:+.1f} ms"


def take_status(metrics: Metrics) -> str:
    """Return which take is being recorded, for how long, and what it lost; "" while none is."""
    recorder = metrics.recorder
    if recorder is None or (recorded := recorder.take) is None:
        return ""
    minutes, seconds = divmod(int(recorded.duration_s), 60)
    lost = f", {recorded.lost} frames lost" if recorded.lost else ""
    return f"REC {recorded.slate} {recorded.number} {minutes}:{seconds:02}{lost}"


def timecode_label(metrics: Metrics) -> str:
    """Return the timecode of the newest frame, dashes before the first."""
    frames = [subject.frame for subject in metrics.subjects if subject.frame is not None]
    return Timecode(metrics.rate, max(frames)).label if frames else "--:--:--:--"


def _subject_status(metrics: Metrics, subject: SubjectMetrics, now_s: float) -> str:
    found = health(metrics, subject, now_s)
    rate = sum(link.packets.per_second(now_s) for link in subject.links)
    lit = [lamp.value for lamp in lamps(metrics, subject)]
    parts = [" ".join((subject.name, found.state.value, *lit))]
    if subject.last_hop_s is not None:
        parts.append(f"{max(subject.level_db, -99.0):.0f} dB")
    parts.append(f"{rate:.1f} packets/s")
    if total := subject.total.spread():
        parts.append(f"{1000 * total.median_s:.0f} ms (p99 {1000 * total.p99_s:.0f})")
    lost = {cause: rate.total for cause, rate in subject.drops.items() if rate.total}
    parts.append("lost " + (" ".join(f"{n} {cause}" for cause, n in lost.items()) or "nothing"))
    return "  ".join(parts)


def _health_text(found: Health) -> str:
    return f"{found.state.value}: {found.advice}" if found.advice else found.state.value


REFRESH_S = 0.25
"""Time between two pictures."""

CLOSE_S = 2.0
"""Time given to the thread for its last picture; a terminal that blocks is left behind."""


class MonitorThread:
    """A thread that calls `show` every `REFRESH_S` between entering and leaving.

    `on_closed` is called where nothing can be shown any more.
    """

    def __init__(
        self,
        metrics: Metrics,
        now: Callable[[], float],
        on_closed: Callable[[], None] = lambda: None,
    ) -> None:
        self.metrics = metrics
        self.now = now
        self._on_closed = on_closed
        self._worker = Worker("monitor", self._run, timeout_s=CLOSE_S)

    def __enter__(self) -> Self:
        self._worker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._worker.stop()

    def run(self) -> None:
        """Show until closing."""
        raise NotImplementedError

    def wait(self) -> bool:
        """Wait for the next picture; return False when it is time to close."""
        return not self._worker.wait(REFRESH_S)

    def _run(self) -> None:
        try:
            self.run()
        except (OSError, ValueError) as error:
            self.metrics.notice(self.now(), f"nothing can be shown any more: {error}")
            if not self._worker.is_stopping:
                self._on_closed()


class PlainMonitor(MonitorThread):
    """Plain lines to a stream, standard error by default."""

    def __init__(
        self,
        metrics: Metrics,
        now: Callable[[], float],
        stream: TextIO | None = None,
        on_closed: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(metrics, now, on_closed)
        self._stream = stream or sys.stderr
        self._report = StatusReport(metrics)

    def run(self) -> None:
        """Print what is new, and a last status line."""
        while self.wait():
            self._print(self._report.lines(self.now()))
        self._print([*self._report.lines(self.now()), status_line(self.metrics, self.now())])

    def _print(self, lines: list[str]) -> None:
        if lines:
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()
