"""Progress of a render: a bar or plain lines for the user, and the manifest `render.jsonl` for
later runs.

A line of the manifest is written once, when a file is started, complete or failed, and never
changed: a kill leaves at most one malformed line, at the end, which is skipped. The last line of
an input is valid. Each shard writes a file of its own and reads them all. The job log writes to
both.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.system.worker import Worker
from cstalk_bridge.takes.render.inputs import MANIFEST_PATTERN
from cstalk_bridge.timecode.smpte import duration_text
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Self

    from cstalk_bridge.takes.render.jobs import Job, OutputFormat, Shard


MAX_LINE_BYTES = 1 << 20
"""Of a line that is read; a longer one is not ours."""


class JobState(StrEnum):
    """What became of an input. BEGUN: its outputs may be there already, and they are ours."""

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """What became of one state (`stamp`) of one input.

    `place` names it, as `Job.place`. `outputs` give, by their place in the folder, the size of each
    in bytes and the fingerprint of its settings: `12345 0a1b2c3d4e5f6071`. `problems` are why it
    failed.
    """

    place: str
    source: str
    stamp: str
    state: JobState
    outputs: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, job: Job, state: JobState, **rest: Any) -> ManifestEntry:
        """Return the entry of a job."""
        return cls(str(job.place), job.where, job.stamp, state, **rest)


class Manifest:
    """The manifest of a folder: everything that was read at the start, and new lines."""

    def __init__(self, folder: Path, shard: Shard) -> None:
        part = f".{shard.number}-of-{shard.count}" if shard.count > 1 else ""
        self._folder = folder
        self.path = folder / f"render{part}.jsonl"
        self._entries: dict[str, list[ManifestEntry]] = {}
        self._outputs: set[str] = set()
        for path in sorted(folder.glob(MANIFEST_PATTERN)):
            last = {}
            for entry in _read(path):
                last[entry.place] = entry
                self._outputs.update(entry.outputs)
            for entry in last.values():
                self._entries.setdefault(entry.place, []).append(entry)
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._file = self.path.open("a+b")
            # A line that a killed run left broken ends here.
            if self._file.seek(0, os.SEEK_END):
                self._file.seek(-1, os.SEEK_END)
                self._file.write(b"" if self._file.read(1) == b"\n" else b"\n")
        except OSError as error:
            problem = Problem(str(self.path), f"cannot be written: {error.strerror}")
            raise UserError(problem) from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def is_finished(self, job: Job, output_formats: Sequence[OutputFormat]) -> bool:
        """Whether all outputs of a job are there, made from this input under these settings."""
        made: dict[str, str] = {}
        for entry in self._entries.get(str(job.place), ()):
            if entry.state is JobState.DONE and entry.stamp == job.stamp:
                made |= entry.outputs
        for output_format in output_formats:
            place = str(job.output(output_format.form))
            try:
                size = (self._folder / place).stat().st_size
            except OSError:
                return False
            if made.get(place) != output_record(size, output_format.fingerprint):
                return False
        return True

    def foreign(self, job: Job, output_formats: Sequence[OutputFormat]) -> list[Path]:
        """Return the files in the places of a job's outputs which no run has made."""
        places = [str(job.output(output_format.form)) for output_format in output_formats]
        paths = [self._folder / place for place in places if place not in self._outputs]
        return [path for path in paths if path.exists()]

    def append(self, entry: ManifestEntry) -> None:
        """Write one line, so that it outlives this process."""
        if self._file is None:
            raise ValueError("the manifest is not open")
        line = json.dumps(asdict(entry), ensure_ascii=False, separators=(",", ":"))
        self._file.write(line.encode("utf-8", "surrogateescape") + b"\n")
        self._file.flush()


def output_record(size: int, fingerprint: str) -> str:
    """Return what an entry holds about one output."""
    return f"{size} {fingerprint}"


def _read(path: Path) -> Iterable[ManifestEntry]:
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES):
            try:
                data = json.loads(line.decode("utf-8", "surrogateescape"))
                entry = ManifestEntry(**{**data, "state": JobState(data["state"])})
                if _is_sound(entry):
                    yield entry
            except (ValueError, TypeError, KeyError, RecursionError):
                continue


def _is_sound(entry: ManifestEntry) -> bool:
    """Whether the values of an entry that was read are of their types."""
    texts: list[object] = [entry.place, entry.source, entry.stamp]
    if not (isinstance(entry.outputs, dict) and isinstance(entry.problems, list | tuple)):
        return False
    texts += [*entry.outputs, *entry.outputs.values(), *entry.problems]
    return all(isinstance(text, str) for text in texts)


class Entries(Protocol):
    """What takes the entries of a manifest: its file, or a list that travels to whoever has it."""

    def append(self, entry: ManifestEntry, /) -> None:
        """Add one."""


@dataclass(frozen=True, slots=True)
class JobLog:
    """Manifest and progress, kept by one thread."""

    manifest: Entries
    progress: RenderProgress

    def begin(self, job: Job, output_formats: Sequence[OutputFormat]) -> None:
        """Note that the outputs of an input are being written."""
        begun = {str(job.output(output_format.form)): "" for output_format in output_formats}
        self.manifest.append(ManifestEntry.of(job, JobState.BEGUN, outputs=begun))

    def finish(self, job: Job, duration_s: float, outputs: Mapping[str, str]) -> None:
        """Note that all outputs of an input are there."""
        self.manifest.append(ManifestEntry.of(job, JobState.DONE, outputs=outputs))
        self.progress.finish(job, duration_s)

    def fail(self, job: Job, error: Exception) -> None:
        """Note why an input failed; what is no UserError is a fault of ours."""
        if isinstance(error, UserError):
            problems = tuple(map(job.explain, error.problems))
        else:
            what = f"an internal error: {type(error).__name__}: {error}"
            problems = (Problem(job.where, what),)
        self.manifest.append(
            ManifestEntry.of(job, JobState.FAILED, problems=tuple(map(str, problems)))
        )
        self.progress.fail(job.where, problems)


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
    workers: int | None = None
    """Processes of a cluster that render at this moment; None without a cluster."""

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

    def add(self, part: RenderProgress, size: int) -> None:
        """Add what became of a part of the jobs, whose inputs have `size` bytes together."""
        self.bytes += part.bytes - size
        self.done += part.done
        self.bytes_done += part.bytes_done
        self.sound_s += part.sound_s
        self.failures += part.failures
        self.notices += part.notices

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
        if self.workers is not None:
            parts.append(f"{self.workers} worker{'' if self.workers == 1 else 's'}")
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
