"""One render, from arguments to outputs: reading, network and writing work at the same time."""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from cstalk_bridge.errors import Problem, UserError
from cstalk_bridge.face.emotion import check_face_settings
from cstalk_bridge.face.networks import load_network
from cstalk_bridge.models.files import PARTIAL_SUFFIX
from cstalk_bridge.models.timing import ROW_RATE_HZ
from cstalk_bridge.system.files import atomic_write
from cstalk_bridge.takes.export.formats import FORMATS
from cstalk_bridge.takes.generate import assemble_take
from cstalk_bridge.takes.render.jobs import (
    create_output_formats,
    find_inputs,
    make_jobs,
    output_formats_of,
    weights_hash,
)
from cstalk_bridge.takes.render.manifest import (
    JobLog,
    JobState,
    Manifest,
    ManifestEntry,
    output_record,
)
from cstalk_bridge.takes.render.pieces import (
    WAITING_PASSES,
    PieceContext,
    PiecesAhead,
    batches,
    generate_batch,
    open_input,
)
from cstalk_bridge.takes.render.progress import RenderProgress
from cstalk_bridge.takes.sound import EncodedSound
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Executor
    from contextlib import AbstractContextManager
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.takes.render.jobs import Job, OutputFormat, RenderConfig
    from cstalk_bridge.takes.render.pieces import Batch, OpenedInput, Part
    from cstalk_bridge.takes.take import Take


LEFTOVER: Final = re.compile(
    rf"\.(?P<name>.*)\.[0-9a-f]{{8}}{re.escape(PARTIAL_SUFFIX)}", re.DOTALL
)
"""A file which a killed program was writing, and the beginning of the name it would have got."""


def write_output(take: Take, job: Job, outlet: OutputFormat, out: Path) -> dict[str, str]:
    """Write a take to a format; return its place and what the manifest says of it.

    UserError where a folder or a file cannot be written, and where a link leads out of `out`.
    """
    place = job.output(outlet.form)
    target = out / place
    make_output_folder(target.parent, out)
    with atomic_write(target, overwrite=True) as file:
        for chunk in outlet.form.write(take, outlet.export):
            file.write(chunk)
    return {str(place): output_record(target.stat().st_size, outlet.fingerprint)}


def make_output_folder(folder: Path, out: Path) -> None:
    """Make a folder below `out`. UserError where that is not possible, or a link leads out."""
    if not folder.resolve().is_relative_to(out.resolve()):
        raise UserError(Problem(str(folder), f"a link leads outside of {out}", "remove the link"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(Problem(str(folder), f"cannot be created: {error.strerror}")) from None


def remove_leftovers(jobs: Iterable[Job], outlets: Sequence[OutputFormat], out: Path) -> int:
    """Remove what a killed run left half-written of these jobs; return how many files.

    Other jobs' files stay: another shard may be writing them now.
    """
    ours: dict[Path, set[str]] = {}
    for job in jobs:
        for outlet in outlets:
            target = out / job.output(outlet.form)
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
    """Writes takes into a folder, with `threads`, and notes in `books` what became of them."""

    def __init__(
        self, outlets: Sequence[OutputFormat], out: Path, books: JobLog, threads: Executor
    ) -> None:
        self._outlets = outlets
        self._out = out
        self._books = books
        self._threads = threads
        self._unwritten: deque[_Unwritten] = deque()

    def write(self, job: Job, duration_s: float, make: Callable[[], Take]) -> None:
        """Hand over a take of that length, which `make` returns in one of the threads."""
        outlets = output_formats_of(job, self._outlets)
        self._books.begin(job, outlets)
        # Whoever waits for the take does so after it was begun, for threads take work in order.
        take = self._threads.submit(make)
        write = partial(_write, take, job, self._out)
        outputs = [self._threads.submit(write, outlet) for outlet in outlets]
        self._unwritten.append(_Unwritten(job, duration_s, outputs))

    def collect(self, most_s: float = UNWRITTEN_S) -> None:
        """Note what has been written, and wait until no more than `most_s` is left to write."""
        while self._unwritten:
            left_s = sum(unwritten.duration_s for unwritten in self._unwritten)
            if left_s <= most_s and not self._unwritten[0].is_done:
                return
            done = self._unwritten.popleft()
            try:
                outputs = [output.result() for output in done.outputs]
            except Exception as error:  # noqa: BLE001 - one input must not end the others
                self._books.fail(done.job, error)
                continue
            told = {place: said for output in outputs for place, said in output.items()}
            self._books.finish(done.job, done.duration_s, told)


def _write(take: Future[Take], job: Job, out: Path, outlet: OutputFormat) -> dict[str, str]:
    return write_output(take.result(), job, outlet, out)


READ_AHEAD: Final = 12
"""Inputs which are opened before they are asked for. Of each a minute is held: 180 MB."""


def opened_inputs(
    jobs: Iterable[Job], settings: RenderConfig, books: JobLog, threads: Executor
) -> Iterator[OpenedInput]:
    """Yield the inputs in order; note those that cannot be opened."""
    ahead: deque[tuple[Job, Future[OpenedInput]]] = deque()
    for job in jobs:
        ahead.append((job, threads.submit(open_input, job, settings)))
        if len(ahead) >= READ_AHEAD:
            yield from _next(ahead, books)
    while ahead:
        yield from _next(ahead, books)


def _next(ahead: deque[tuple[Job, Future[OpenedInput]]], books: JobLog) -> Iterator[OpenedInput]:
    job, future = ahead.popleft()
    try:
        heard = future.result()
    except Exception as error:  # noqa: BLE001 - one input must not end the others
        books.tally.drop(job)
        books.fail(job, error)
    else:
        books.tally.note(str(job.source), heard.notices)
        yield heard


if TYPE_CHECKING:
    Boards = list[NDArray[np.float32]]

MAX_THREADS: Final = 8
"""Threads of each kind at most: the interpreter serves no more."""


@dataclass(slots=True, eq=False)
class _Growing:
    """The board of a recording whose pieces come from the network one by one."""

    board: NDArray[np.float32]
    missing: int


class Renderer:
    """Renders jobs into a folder.

    Whatever is wrong with one input is noted in `books`; the rest goes on.
    """

    def __init__(
        self,
        generator: Generator,
        settings: RenderConfig,
        outlets: Sequence[OutputFormat],
        out: Path,
        books: JobLog,
    ) -> None:
        self._generator = generator
        self._settings = settings
        self._books = books
        self._stop = threading.Event()
        self._growing: dict[Job, _Growing] = {}
        self._working: deque[tuple[Batch, Future[Boards]]] = deque()
        cores = min(MAX_THREADS, os.cpu_count() or 1)
        self._networks = cores if generator.device == "cpu" else 1
        self._readers = ThreadPoolExecutor(max(1, cores // 2), "reading")
        self._network = ThreadPoolExecutor(self._networks, "network")
        self._writers = ThreadPoolExecutor(cores, "writing")
        self._outgoing = OutputWriter(outlets, out, books, self._writers)
        self._keeps_sound = any(outlet.form.id == "take" for outlet in outlets)

    def render(self, jobs: Iterable[Job]) -> None:
        """Render all jobs."""
        pass_rows = self._generator.engine.pass_rows
        waiting_rows = WAITING_PASSES[self._generator.device] * pass_rows
        work = partial(generate_batch, self._generator, lookahead_ms=self._settings.lookahead_ms)
        try:
            for batch in batches(self._parts(jobs), pass_rows, waiting_rows):
                self._working.append((batch, self._network.submit(work, batch)))
                self._gather(2 * self._networks)
            self._gather(0)
            self._outgoing.collect(0.0)
        finally:
            self._stop.set()
            for threads in (self._readers, self._network, self._writers):
                threads.shutdown(cancel_futures=True)

    def _parts(self, jobs: Iterable[Job]) -> Iterator[Part]:
        """Yield all pieces of all recordings; takes go straight to their outputs."""
        ahead_rows = self._generator.delay_hops(self._settings.lookahead_ms)
        reach = PieceContext(self._generator.window_hops + ahead_rows, ahead_rows)
        for heard in opened_inputs(jobs, self._settings, self._books, self._readers):
            if heard.take is not None:
                self._books.tally.heard(heard.job, 1.0)
                self._convert(heard.job, heard.take)
                continue
            board = np.zeros((heard.rows, len(self._generator.channels)), dtype=np.float32)
            self._growing[heard.job] = _Growing(board, heard.rows)
            if heard.piece is not None:
                yield heard, heard.piece
                continue
            yield from self._pieces(heard, reach)

    def _pieces(self, heard: OpenedInput, reach: PieceContext) -> Iterator[Part]:
        """Yield the pieces of a long recording; its take's sound is encoded meanwhile."""
        pieces = PiecesAhead(heard, reach, self._stop)
        self._readers.submit(pieces.read)
        if heard.sound is not None and self._keeps_sound:
            heard = replace(heard, sound=EncodedSound(heard.sound, self._writers))
        try:
            for piece in pieces:
                yield heard, piece
        except UserError as error:
            del self._growing[heard.job]
            self._books.fail(heard.job, error)

    def _gather(self, most: int) -> None:
        """Take what the network has made, and wait until it has no more than `most` batches."""
        while self._working and (len(self._working) > most or self._working[0][1].done()):
            batch, future = self._working.popleft()
            for part, rows in zip(batch, future.result(), strict=True):
                self._grow(part, rows)
        self._outgoing.collect()

    def _grow(self, part: Part, rows: NDArray[np.float32]) -> None:
        """Add the rows of a piece to the board of its recording, and send off a whole one."""
        heard, piece = part
        growing = self._growing.get(heard.job)
        if growing is None:
            return  # the rest of it could not be read
        growing.board[piece.first : piece.first + piece.rows] = rows
        growing.missing -= piece.rows
        self._books.tally.heard(heard.job, piece.rows / heard.rows)
        if not growing.missing:
            del self._growing[heard.job]
            self._send(heard, growing.board)

    def _convert(self, job: Job, take: Take) -> None:
        self._outgoing.write(job, take.duration_s, lambda: take)
        self._outgoing.collect()

    def _send(self, heard: OpenedInput, board: NDArray[np.float32]) -> None:
        if heard.sound is None:
            raise ValueError("a recording without sound")
        assemble = partial(
            assemble_take,
            self._generator,
            board,
            heard.sound,
            heard.settings,
            slate=heard.job.slate,
            stop=self._stop,
        )
        self._outgoing.write(heard.job, heard.rows / ROW_RATE_HZ, assemble)


if TYPE_CHECKING:
    Watch = Callable[[RenderProgress], AbstractContextManager[object]]


def render(
    words: Sequence[str],
    out: Path,
    settings: RenderConfig,
    *,
    watch: Watch = nullcontext,
    load: Callable[[Path | None, str], Generator] = load_network,
) -> RenderProgress:
    """Render what the words name into `out` and return what became of it.

    What an earlier run finished is left alone. `watch` is entered with the tally while the work
    goes on; `load` gives the network once it is needed. UserError for what concerns all inputs:
    none found, two of one name, settings, weights, the folder.
    """
    inputs = find_inputs(words, out)
    jobs, problems = make_jobs(inputs.found, settings.formats, settings.shard)
    problems = [*inputs.problems, *problems]
    if not inputs.found:
        raise UserError.of(
            problems or [Problem("render", "no input was given", "name a recording")]
        )
    make_output_folder(out, out)
    outlets = create_output_formats(settings, weights_hash(settings))
    with Manifest(out, settings.shard) as manifest:
        remove_leftovers(jobs, outlets, out)
        todo = [job for job in jobs if settings.is_forced or not _is_done(job, manifest, outlets)]
        tally = RenderProgress(
            len(todo), sum(job.size for job in todo), host_now(), len(jobs) - len(todo)
        )
        tally.left_out = len(inputs.left_out)
        tally.notices += filter(None, [inputs.notice])
        for problem in problems:
            tally.fail(problem.where, (problem,))
        fit = [job for job in todo if _is_fit(job, manifest, outlets, settings, tally)]
        if fit:
            generator = load(settings.weights, settings.device)
            check_face_settings(generator, {"": settings})
            tally.start_s = host_now()
            with watch(tally):
                Renderer(generator, settings, outlets, out, JobLog(manifest, tally)).render(fit)
        tally.end_s = host_now()
    return tally


def _is_done(job: Job, manifest: Manifest, outlets: Sequence[OutputFormat]) -> bool:
    wanted = output_formats_of(job, outlets)
    return bool(wanted) and manifest.is_finished(job, wanted)


def _is_fit(
    job: Job,
    manifest: Manifest,
    outlets: Sequence[OutputFormat],
    settings: RenderConfig,
    tally: RenderProgress,
) -> bool:
    """Whether a job can be done; note why not."""
    wanted = output_formats_of(job, outlets)
    problems = []
    if not wanted:
        others = ", ".join(name for name in FORMATS if name != "take")
        problems.append(Problem(str(job.source), "it already is a take", f"ask for {others}"))
    if not settings.overwrite:
        problems += [
            Problem(str(path), "already exists, and not from a render", "use --overwrite")
            for path in manifest.foreign(job, wanted)
        ]
    if problems:
        manifest.append(ManifestEntry.of(job, JobState.FAILED, problems=tuple(map(str, problems))))
        tally.drop(job)
        tally.fail(str(job.source), tuple(problems))
    return not problems
