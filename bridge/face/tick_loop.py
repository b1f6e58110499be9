"""The work of the tick thread: the faces of all subjects at every tick."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cstalk_bridge.face.subject import show_subjects
from cstalk_bridge.system.worker import CallQueue
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from threading import Event

    from cstalk_bridge.face.subject import Subject
    from cstalk_bridge.monitor.metrics import Metrics
    from cstalk_bridge.timecode.tick import Ticker
    from cstalk_bridge.timecode.time_of_day import TimeOfDay


class TickLoop:
    """Shows subjects tick by tick; `run` is the target of the tick thread.

    `calls` are performed between two ticks; they may replace `subjects`.
    """

    def __init__(
        self, ticker: Ticker, subjects: Sequence[Subject], time_of_day: TimeOfDay, metrics: Metrics
    ) -> None:
        self.subjects = tuple(subjects)
        self.calls = CallQueue()
        self._ticker = ticker
        self._time_of_day = time_of_day
        self._metrics = metrics

    def run(self, stop: Event) -> None:
        """Show the faces of every tick until `stop`, or until all recordings have ended."""
        for tick in self._ticker:
            self.calls.perform()
            if stop.is_set() or all(each.is_finished(tick.due_s) for each in self.subjects):
                return
            show_subjects(self.subjects, self._time_of_day.stamp(tick))
            self._metrics.record_tick(tick, self._ticker.skipped, host_now())
