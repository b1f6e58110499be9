"""Outputs of a render: takes are written into a folder, each file whole or not at all."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.models.files import PARTIAL_SUFFIX
from cstalk_bridge.system.files import atomic_write
from cstalk_bridge.takes.render.jobs import output_formats_of
from cstalk_bridge.takes.render.progress import output_record
from cstalk_bridge.takes.render.sound_file import write_sound_beside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Executor, Future
    from pathlib import Path

    from cstalk_bridge.takes.render.jobs import Job, OutputFormat
    from cstalk_bridge.takes.render.progress import JobLog
    from cstalk_bridge.takes.take import Take


LEFTOVER: Final = re.compile(
    rf"\.(?P<name>.*)\.[0-9a-f]{{8}}{re.escape(PARTIAL_SUFFIX)}", re.DOTALL
)
"""A file which a killed program was writing, and the beginning of the name it would have got."""


def write_output(take: Take, job: Job, output_format: OutputFormat, out: Path) -> dict[str, str]:
    """Write a take in a format; return its path in the folder and its manifest record.

    UserError where a folder or a file cannot be written, and where a link leads out of `out`.
    """
    place = job.output(output_format.form)
    target = out / place
    make_output_folder(target.parent, out)
    export = output_format.export
    if take.sound is not None and output_format.form.has_head:
        name = output_format.form.sound_name(job.slate)
        if write_sound_beside(take.sound, target.with_name(name)):
            export = replace(export, sound_name=name)
    with atomic_write(target, overwrite=True) as file:
        for chunk in output_format.form.write(take, export):
            file.write(chunk)
    return {str(place): output_record(target.stat().st_size, output_format.fingerprint)}


def make_output_folder(folder: Path, out: Path) -> None:
    """Make a folder below `out`. UserError where that is not possible, or a link leads out."""
    if not folder.resolve().is_relative_to(out.resolve()):
        raise UserError(Problem(str(folder), f"a link leads outside of {out}", "remove the link"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(Problem(str(folder), f"cannot be created: {error.strerror}")) from None


def remove_leftovers(jobs: Iterable[Job], output_formats: Sequence[OutputFormat], out: Path) -> int:
    """Remove what a killed run left half-written of these jobs; return how many files.

    Other jobs' files stay: another shard may be writing them now.
    """
    ours: dict[Path, set[str]] = {}
    for job in jobs:
        for output_format in output_formats:
            target = out / job.output(output_format.form)
            ours.setdefault(target.parent, set()).add(target.name)
    removed = 0
    for folder, names in ours.items():
        for path in folder.glob(f".*{PARTIAL_SUFFIX}"):
            match = LEFTOVER.fullmatch(path.name)
            if match and match["name"] in names:
                path.unlink(missing_ok=True)
                removed += 1
    return removed


UNWRITTEN_S: Final = 600.0
"""Takes which wait to be written, in seconds of sound: 120 MB, or one longer take."""


@dataclass(frozen=True, slots=True, eq=False)
class _Unwritten:
    """A take that is being written: one future for each of its outputs."""

    job: Job
    duration_s: float
    outputs: list[Future[dict[str, str]]]

    @property
    def is_done(self) -> bool:
        return all(output.done() for output in self.outputs)


class OutputWriter:
    """Writes takes into a folder, with `threads`, and notes in `job_log` what became of them."""

    def __init__(
        self, output_formats: Sequence[OutputFormat], out: Path, job_log: JobLog, threads: Executor
    ) -> None:
        self._output_formats = output_formats
        self._out = out
        self._job_log = job_log
        self._threads = threads
        self._unwritten: deque[_Unwritten] = deque()

    def write(self, job: Job, duration_s: float, make: Callable[[], Take]) -> None:
        """Submit a take of that length, which `make` returns on one of the threads."""
        output_formats = output_formats_of(job, self._output_formats)
        self._job_log.begin(job, output_formats)
        # Whoever waits for the take does so after it was begun, for threads take work in order.
        take = self._threads.submit(make)
        write = partial(_write, take, job, self._out)
        outputs = [self._threads.submit(write, output_format) for output_format in output_formats]
        self._unwritten.append(_Unwritten(job, duration_s, outputs))

    def collect(self, limit_s: float = UNWRITTEN_S) -> None:
        """Note what has been written, and wait until no more than `limit_s` is left to write."""
        while self._unwritten:
            left_s = sum(unwritten.duration_s for unwritten in self._unwritten)
            if left_s <= limit_s and not self._unwritten[0].is_done:
                return
            done = self._unwritten.popleft()
            try:
                outputs = [output.result() for output in done.outputs]
            except Exception as error:  # noqa: BLE001 - one input must not end the others
                self._job_log.fail(done.job, error)
                continue
            records = {place: record for output in outputs for place, record in output.items()}
            self._job_log.finish(done.job, done.duration_s, records)


def _write(take: Future[Take], job: Job, out: Path, output_format: OutputFormat) -> dict[str, str]:
    return write_output(take.result(), job, output_format, out)
