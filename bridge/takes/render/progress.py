"""Progress of a render: counted by one thread, shown as a bar or as plain lines."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cstalk_bridge.system.worker import Worker
from cstalk_bridge.timecode.smpte import duration_text
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cstalk_bridge.models.errors import Problem
    from cstalk_bridge.takes.render.jobs import Job


NETWORK_SHARE = 0.7
"""Share of the work on an input that the network does; the rest is writing."""


@dataclass(slots=True)
class RenderProgress:
    """Counts of jobs, of bytes of input, and seconds of sound; changed by one thread only."""

    jobs: int
    bytes: int
    start_s: float
    skipped: int = 0
    left_out: int = 0
    end_s: float | None = None
    done: int = 0
    bytes_done: float = 0.0
    sound_s: float = 0.0
    failures: list[tuple[str, tuple[Problem, ...]]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    """Messages for the user about inputs that did not fail."""

    def add_generated(self, job: Job, share: float) -> None:
        """Count a further share of an input as processed by the network."""
        self.bytes_done += NETWORK_SHARE * share * job.size

    def finish(self, job: Job, duration_s: float) -> None:
        """Count an input whose outputs are all there."""
        self.done += 1
        self.bytes_done += (1.0 - NETWORK_SHARE) * job.size
        self.sound_s += duration_s

    def fail(self, source: str, problems: tuple[Problem, ...]) -> None:
        """Count an input that failed."""
        self.failures.append((source, problems))

    def note(self, source: str, notices: tuple[str, ...]) -> None:
        """Keep messages for the user about an input."""
        self.notices += (f"{source}: {notice}" for notice in notices)

    def drop(self, job: Job) -> None:
        """Remove an input from the remaining work."""
        self.bytes -= job.size

    @property
    def share(self) -> float:
        """How much of the work is done, 0..1, by the bytes of the inputs."""
        return min(1.0, self.bytes_done / self.bytes) if self.bytes else 1.0

    def left_s(self, now_s: float) -> float | None:
        """Return the estimated seconds left at the speed so far; None at the start."""
        if self.share <= 0.0:
            return None
        return (now_s - self.start_s) * (1.0 - self.share) / self.share

    def speed(self, now_s: float) -> float:
        """Return the speed so far as a multiple of real time."""
        return self.sound_s / max(1e-9, now_s - self.start_s)

    def line(self, now_s: float) -> str:
        """Return the state in one line."""
        parts = [f"{self.done} of {self.jobs} rendered", f"{self.speed(now_s):.0f} x real time"]
        if self.failures:
            parts.insert(1, f"{len(self.failures)} failed")
        if (left_s := self.left_s(now_s)) is not None:
            parts.append(f"{duration_text(left_s)} left")
        return ", ".join(parts)

    def summary(self) -> str:
        """Return the end in one line."""
        parts = [f"{self.done} rendered"]
        if self.skipped:
            parts.append(f"{self.skipped} already finished")
        if self.failures:
            parts.append(f"{len(self.failures)} failed")
        if self.left_out:
            parts.append(f"{self.left_out} ignored")
        text = ", ".join(parts)
        if self.done and self.end_s is not None:
            took_s = self.end_s - self.start_s
            speed = f"{self.speed(self.end_s):.0f} x real time"
            text += f": {duration_text(self.sound_s)} of sound in {took_s:.1f} s, {speed}"
        return text


BAR_EVERY_S: Final = 0.25
LINE_EVERY_S: Final = 5.0


@contextmanager
def show_progress(progress: RenderProgress) -> Iterator[None]:
    """Show the progress on standard error until leaving."""
    with _bar(progress) if sys.stderr.isatty() else _repeated(LINE_EVERY_S, _line_of(progress)):
        yield


def _line_of(progress: RenderProgress) -> Callable[[], None]:
    return lambda: print(progress.line(host_now()), file=sys.stderr, flush=True)


@contextmanager
def _bar(progress: RenderProgress) -> Iterator[None]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False) as bar:
        task = bar.add_task("", total=1.0)

        def show() -> None:
            line = progress.line(host_now())
            bar.update(task, completed=progress.share, description=line, refresh=True)

        with _repeated(BAR_EVERY_S, show):
            yield
        show()


@contextmanager
def _repeated(every_s: float, show: Callable[[], None]) -> Iterator[None]:
    """Call `show` periodically on a thread of its own; the render goes on when it fails."""

    def run() -> None:
        try:
            while not worker.wait(every_s):
                show()
        except (OSError, ValueError):
            return  # a closed terminal or pipe: the manifest records what was done

    worker = Worker("progress", run)
    with worker:
        yield
