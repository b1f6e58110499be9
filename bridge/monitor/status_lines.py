"""Status of a run as plain lines, and the thread that prints them where there is no dashboard.

Monitors only read, at most four times a second, and their errors stay in them. A closed terminal or
pipe ends the run, since nobody could watch it or end it by a key any more.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from cstalk_bridge.monitor.health import Health, HealthState, Lamp, health, lamps
from cstalk_bridge.system.worker import STOP_TIMEOUT_S, Worker
from cstalk_bridge.timecode.chase import SyncState
from cstalk_bridge.timecode.smpte import Timecode, duration_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from cstalk_bridge.monitor.metrics import Metrics, SubjectMetrics


STATUS_EVERY_S = 5.0
"""Time between two status lines."""

CLIPPING_PAUSE_S = 10.0
"""Clipping is reported again after this long without it."""

CLIPPING_ADVICE = "the input clips; lower gain_db"


@dataclass(frozen=True, slots=True)
class StatusEvent:
    """One line of a report, and whether it needs the user's attention."""

    text: str
    is_warning: bool = False


@dataclass(slots=True)
class _ReportedSubject:
    """What was last reported of a subject."""

    state: HealthState = HealthState.STARTING
    lamps: tuple[Lamp, ...] = ()
    clipped_s: float = -math.inf


class StatusReport:
    """Turns metrics into lines, each event once. Pure apart from what it has reported already."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._last_notice = 0
        self._reported: dict[int, _ReportedSubject] = {}
        self._lost_records = 0
        self._next_status_s: float | None = None

    def lines(self, now_s: float) -> list[str]:
        """Return the text of `events`."""
        return [event.text for event in self.events(now_s)]

    def events(self, now_s: float) -> list[StatusEvent]:
        """Return what is new at host time `now_s`.

        These are notices, changes of health and lamps, the begin of clipping, lost log records, and
        a status line every `STATUS_EVERY_S` seconds.
        """
        events = [*self._new_notices(), *self._newly_lost_records()]
        subjects = self._metrics.subjects
        self._reported = {
            id(subject): self._reported.get(id(subject)) or _ReportedSubject()
            for subject in subjects
        }
        for subject in subjects:
            reported = self._reported[id(subject)]
            events += self._changed_health(reported, subject, now_s)
            events += self._switched_lamps(reported, subject)
            events += self._begun_clipping(reported, subject, now_s)
        if self._next_status_s is None:
            self._next_status_s = now_s + STATUS_EVERY_S
        elif now_s >= self._next_status_s:
            self._next_status_s = now_s + STATUS_EVERY_S
            events.append(StatusEvent(status_line(self._metrics, now_s)))
        return events

    def _new_notices(self) -> Iterator[StatusEvent]:
        for notice in self._metrics.notices(after=self._last_notice):
            if missed := notice.number - self._last_notice - 1:
                yield StatusEvent(f"{missed} notices were dropped", is_warning=True)
            self._last_notice = notice.number
            subject = f"{notice.subject}: " if notice.subject else ""
            yield StatusEvent(f"{subject}{notice.text}")

    def _newly_lost_records(self) -> Iterator[StatusEvent]:
        lost = self._metrics.lost_log_records()
        if lost > self._lost_records == 0:
            yield StatusEvent(f"{log_status(self._metrics)}; check the disk", is_warning=True)
        self._lost_records = lost

    def _changed_health(
        self, reported: _ReportedSubject, subject: SubjectMetrics, now_s: float
    ) -> Iterator[StatusEvent]:
        found = health(self._metrics, subject, now_s)
        if found.state is not reported.state:
            reported.state = found.state
            text = f"{subject.name}: {_health_text(found)}"
            yield StatusEvent(text, is_warning=found.state.is_fault)

    def _switched_lamps(
        self, reported: _ReportedSubject, subject: SubjectMetrics
    ) -> Iterator[StatusEvent]:
        before, after = reported.lamps, lamps(self._metrics, subject)
        reported.lamps = after
        for lamp in Lamp:
            if (lamp in before) is not (lamp in after):
                state = "on" if lamp in after else "off"
                yield StatusEvent(f"{subject.name}: {lamp.value} {state}")

    def _begun_clipping(
        self, reported: _ReportedSubject, subject: SubjectMetrics, now_s: float
    ) -> Iterator[StatusEvent]:
        if not subject.is_clipping:
            return
        if now_s - reported.clipped_s > CLIPPING_PAUSE_S:
            yield StatusEvent(f"{subject.name}: {CLIPPING_ADVICE}", is_warning=True)
        reported.clipped_s = now_s


def status_line(metrics: Metrics, now_s: float) -> str:
    """Return one line on all subjects: timecode, state, level, packets, latency and losses."""
    shared = (
        time_status(metrics, now_s),
        take_status(metrics),
        log_status(metrics),
        config_status(metrics),
    )
    parts = [timecode_label(metrics), *filter(None, shared)]
    parts += [_subject_status(metrics, subject, now_s) for subject in metrics.subjects]
    return " | ".join(parts)


def final_line(metrics: Metrics, now_s: float) -> str:
    """Return the status line at the end of a run; its last word is where the last take lies."""
    last = metrics.recorder.last if metrics.recorder is not None else None
    line = status_line(metrics, now_s)
    if last is None:
        return line
    problem = f" is incomplete ({last.problem}); it" if last.problem else ""
    return f"{line} | the last take{problem} is in {last.folder.resolve()}"


def time_status(metrics: Metrics, now_s: float) -> str:
    """Return the source of the time of day, its synchronisation and offset; "" without a source."""
    source = metrics.time_of_day
    if source is None:
        return ""
    status = source.status(now_s)
    if status.sync is SyncState.LOST:
        return f"{source.text} {status.sync.value}"
    return f"{source.text} {status.sync.value} {1e3 * status.ahead_s:+.1f} ms"


def take_status(metrics: Metrics) -> str:
    """Return slate, number, duration and lost frames of the take being recorded; "" without one."""
    recorder = metrics.recorder
    if recorder is None or (recorded := recorder.take) is None:
        return ""
    lost = f", {recorded.lost} frames lost" if recorded.lost else ""
    return f"REC {recorded.slate} {recorded.number} {duration_text(int(recorded.duration_s))}{lost}"


def log_status(metrics: Metrics) -> str:
    """Return how many records the log has lost; "" while it has lost none."""
    lost = metrics.lost_log_records()
    return f"log: {lost} records lost" if lost else ""


def config_status(metrics: Metrics) -> str:
    """Return that the config file has mistakes by now; "" while it has none."""
    return f"{metrics.config_fault}, not applied" if metrics.config_fault else ""


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
    lost = " ".join(f"{number} {cause}" for cause, number in subject.losses.items())
    parts.append(f"lost {lost or 'nothing'}")
    parts += [f"{link.counters.name} {link.status(now_s).delivery.value}" for link in subject.links]
    return "  ".join(parts)


def _health_text(found: Health) -> str:
    return f"{found.state.value}: {found.advice}" if found.advice else found.state.value


REFRESH_S = 0.25
"""Time between two refreshes of a display."""


class MonitorThread:
    """A thread that calls `run` between entering and leaving; `run` refreshes every `REFRESH_S`.

    `on_closed` is called where the display fails, as when its terminal was closed.
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
        self._worker = Worker("monitor", self._run, timeout_s=STOP_TIMEOUT_S)

    def __enter__(self) -> Self:
        self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.stop()

    def run(self) -> None:
        """Refresh the display until closing."""
        raise NotImplementedError

    def wait(self) -> bool:
        """Wait for the next refresh; return False when it is time to close."""
        return not self._worker.wait(REFRESH_S)

    def _run(self) -> None:
        try:
            self.run()
        except (OSError, ValueError) as error:
            self.metrics.notice(self.now(), f"the display failed: {error}")
            if not self._worker.is_stopping:
                self._on_closed()


class PlainMonitor(MonitorThread):
    """Prints plain lines to a stream, standard error by default."""

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
        """Print new events, and a last status line at the end."""
        while self.wait():
            self._print(self._report.lines(self.now()))
        self._print([*self._report.lines(self.now()), final_line(self.metrics, self.now())])

    def _print(self, lines: list[str]) -> None:
        if lines:
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()
