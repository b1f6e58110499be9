"""The desk: what a running bridge can be told, from any thread.

    desk = Desk()
    threading.Thread(target=run, args=(config,), kwargs={"desk": desk}).start()
    desk.wait_until_running()
    desk.subject("CSTalk").emotion({"happy": 0.8}, over_s=1.5)

Remote control, keys, the page and timelines all say it here. Nothing of it makes the threads wait
that make and send faces.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.control.commands import ACTION, ALL_SUBJECTS
from bridge.control.state import DeskState
from bridge.control.subject_desk import SubjectDesk
from bridge.control.take_desk import TakeDesk
from bridge.document import nearest
from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bridge.monitor.metrics import Metrics
    from bridge.recording.recorder import Recorder
    from bridge.subject import Subject
    from models.generator import Generator


@dataclass(frozen=True, slots=True)
class Running:
    """What a desk reaches of a running bridge."""

    subjects: Sequence[Subject]
    metrics: Metrics
    model: Generator
    recorder: Recorder
    stop: threading.Event
    now: Callable[[], float]

    def notice(self, text: str) -> None:
        """Tell the user."""
        self.metrics.notice(self.now(), text)


class Desk:
    """What a bridge can be told while it runs; UserError for anything while it does not."""

    def __init__(self) -> None:
        self._is_running = threading.Event()
        self._running: Running | None = None
        self._subjects: dict[str, SubjectDesk] = {}
        self._takes: TakeDesk | None = None

    @contextmanager
    def connected(self, running: Running) -> Iterator[None]:
        """Reach a running bridge within the context."""
        changing = threading.RLock()
        takes = TakeDesk(running.recorder, running.notice)
        self._takes = takes
        self._subjects = {
            subject.name: SubjectDesk(
                subject,
                running.model,
                changing,
                running.now,
                lambda: takes.is_recording,
                running.notice,
            )
            for subject in running.subjects
        }
        self._running = running
        self._is_running.set()
        try:
            yield
        finally:
            self._is_running.clear()
            self._running = None

    def wait_until_running(self, timeout_s: float | None = None) -> bool:
        """Wait until a bridge runs; return whether it does."""
        return self._is_running.wait(timeout_s)

    @property
    def subjects(self) -> tuple[SubjectDesk, ...]:
        """All subjects, in the order of the config."""
        self._reached()
        return tuple(self._subjects.values())

    def subject(self, name: str) -> SubjectDesk:
        """Return a subject by its name in the config."""
        self._reached()
        if name not in self._subjects:
            what = f"there is no subject {name[:80]!r}"
            raise UserError(Problem("subject", what, nearest(name[:80], self._subjects)))
        return self._subjects[name]

    def chosen(self, name: str) -> tuple[SubjectDesk, ...]:
        """Return the subjects that an address means: all for `*`; `_` may stand for spaces."""
        if name == ALL_SUBJECTS:
            return self.subjects
        spelt = next((own for own in self._subjects if own.replace(" ", "_") == name), name)
        return (self.subject(name if name in self._subjects else spelt),)

    @property
    def takes(self) -> TakeDesk:
        """What is recorded."""
        self._reached()
        if self._takes is None:
            raise RuntimeError("a desk that runs has takes")
        return self._takes

    def state(self) -> DeskState:
        """Return how the whole bridge stands."""
        subjects = tuple(subject.state() for subject in self.subjects)
        return DeskState(self.takes.is_recording, subjects)

    def record(self, action: str, slate: str | None = None, take: int | None = None) -> str:
        """Do as `record` of the table: start or stop a take; return its identifier."""
        if ACTION.read(action) == "start":
            return self.takes.start(slate, take)
        return self.takes.stop().identifier

    def notice(self, text: str) -> None:
        """Show the user a line of text, while a bridge runs."""
        if (running := self._running) is not None:
            running.notice(text)

    def stop(self) -> None:
        """End the run."""
        self._reached().stop.set()

    def _reached(self) -> Running:
        running = self._running
        if running is None:
            raise UserError(Problem("desk", "no bridge is running"))
        return running
