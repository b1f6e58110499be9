"""One render, from arguments to outputs: reading, network and writing work at the same time."""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from cstalk_bridge.face.emotion import check_face_settings
from cstalk_bridge.face.inference import load_network
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.models.timing import ROW_RATE_HZ
from cstalk_bridge.takes.export.formats import FORMATS
from cstalk_bridge.takes.generate import assemble_take
from cstalk_bridge.takes.render.fetching import chunks, fetched
from cstalk_bridge.takes.render.inputs import find_inputs
from cstalk_bridge.takes.render.jobs import (
    create_output_formats,
    make_jobs,
    output_formats_of,
    weights_hash,
)
from cstalk_bridge.takes.render.pieces import (
    WAITING_PASSES,
    PieceContext,
    PiecesAhead,
    batches,
    generate_batch,
    open_input,
)
from cstalk_bridge.takes.render.progress import (
    JobLog,
    JobState,
    Manifest,
    ManifestEntry,
    RenderProgress,
)
from cstalk_bridge.takes.render.writing import (
    OutputWriter,
    make_output_folder,
    remove_leftovers,
)
from cstalk_bridge.takes.sound import EncodedSound
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Executor, Future
    from contextlib import AbstractContextManager
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.takes.render.inputs import Inputs
    from cstalk_bridge.takes.render.jobs import Job, OutputFormat, RenderConfig
    from cstalk_bridge.takes.render.pieces import Batch, OpenedInput, Part
    from cstalk_bridge.takes.take import Take

    Boards = list[NDArray[np.float32]]

    DoJobs = Callable[[Sequence[Job], JobLog], None]

    Watch = Callable[[RenderProgress], AbstractContextManager[object]]


READ_AHEAD: Final = 12
"""Inputs that are opened ahead. Of each a minute is held: 180 MB."""


def opened_inputs(
    jobs: Iterable[Job], settings: RenderConfig, job_log: JobLog, threads: Executor
) -> Iterator[OpenedInput]:
    """Yield the inputs in order; note those that cannot be opened."""
    ahead: deque[tuple[Job, Future[OpenedInput]]] = deque()
    for job in jobs:
        ahead.append((job, threads.submit(open_input, job, settings)))
        if len(ahead) >= READ_AHEAD:
            yield from _next(ahead, job_log)
    while ahead:
        yield from _next(ahead, job_log)


def _next(ahead: deque[tuple[Job, Future[OpenedInput]]], job_log: JobLog) -> Iterator[OpenedInput]:
    job, future = ahead.popleft()
    try:
        opened = future.result()
    except Exception as error:  # noqa: BLE001 - one input must not end the others
        job_log.progress.drop(job)
        job_log.fail(job, error)
    else:
        job_log.progress.note(job.where, opened.notices)
        yield opened


MAX_THREADS: Final = 8
"""Threads of each kind at most: more gain nothing beside the interpreter's lock."""


@dataclass(slots=True, eq=False)
class _Growing:
    """The board of a recording whose pieces come from the network one by one."""

    board: NDArray[np.float32]
    missing: int


class Renderer:
    """Renders jobs into a folder.

    Whatever is wrong with one input is noted in `job_log`; the rest goes on. `generator` is None
    where all jobs are takes that are only converted. `cores` are those that it may use, by default
    the machine's.
    """

    def __init__(
        self,
        generator: Generator | None,
        settings: RenderConfig,
        output_formats: Sequence[OutputFormat],
        out: Path,
        job_log: JobLog,
        cores: int | None = None,
    ) -> None:
        self._generator = generator
        self._settings = settings
        self._job_log = job_log
        self._stop = threading.Event()
        self._growing: dict[Job, _Growing] = {}
        self._working: deque[tuple[Batch, Future[Boards]]] = deque()
        cores = cores or min(MAX_THREADS, os.cpu_count() or 1)
        self._networks = cores if generator and generator.device == "cpu" else 1
        self._readers = ThreadPoolExecutor(max(1, cores // 2), "reading")
        self._network = ThreadPoolExecutor(self._networks, "network")
        self._writers = ThreadPoolExecutor(cores, "writing")
        self._outgoing = OutputWriter(output_formats, out, job_log, self._writers)
        self._keeps_sound = any(output_format.form.id == "take" for output_format in output_formats)

    def render(self, jobs: Iterable[Job]) -> None:
        """Render all jobs."""
        recordings = self._recordings(jobs)
        try:
            if self._generator is None:
                deque(recordings, maxlen=0)
            else:
                self._generate(recordings, self._generator)
            self._outgoing.collect(0.0)
        finally:
            self._stop.set()
            for threads in (self._readers, self._network, self._writers):
                threads.shutdown(cancel_futures=True)

    def _recordings(self, jobs: Iterable[Job]) -> Iterator[OpenedInput]:
        """Yield all recordings; takes go straight to their outputs."""
        for opened in opened_inputs(jobs, self._settings, self._job_log, self._readers):
            if opened.take is None:
                yield opened
            else:
                self._job_log.progress.add_generated(opened.job, 1.0)
                self._convert(opened.job, opened.take)

    def _generate(self, recordings: Iterable[OpenedInput], generator: Generator) -> None:
        # One to a batch where its company would change the last bits of a face.
        pass_rows = generator.engine.pass_rows if generator.engine.is_same_in_batches else 1
        waiting_rows = WAITING_PASSES[generator.device] * generator.engine.pass_rows
        work = partial(generate_batch, generator, lookahead_ms=self._settings.lookahead_ms)
        for batch in batches(self._parts(recordings, generator), pass_rows, waiting_rows):
            self._working.append((batch, self._network.submit(work, batch)))
            self._gather(2 * self._networks)
        self._gather(0)

    def _parts(self, recordings: Iterable[OpenedInput], generator: Generator) -> Iterator[Part]:
        """Yield all pieces of all recordings."""
        ahead_rows = generator.delay_hops(self._settings.lookahead_ms)
        reach = PieceContext(generator.window_hops + ahead_rows, ahead_rows)
        for opened in recordings:
            board = np.zeros((opened.rows, len(generator.channels)), dtype=np.float32)
            self._growing[opened.job] = _Growing(board, opened.rows)
            if opened.piece is not None:
                yield opened, opened.piece
                continue
            yield from self._pieces(opened, reach)

    def _pieces(self, opened: OpenedInput, reach: PieceContext) -> Iterator[Part]:
        """Yield the pieces of a long recording; its take's sound is encoded meanwhile."""
        pieces = PiecesAhead(opened, reach, self._stop)
        self._readers.submit(pieces.read)
        if opened.sound is not None and self._keeps_sound:
            opened = replace(opened, sound=EncodedSound(opened.sound, self._writers))
        try:
            for piece in pieces:
                yield opened, piece
        except UserError as error:
            del self._growing[opened.job]
            self._job_log.fail(opened.job, error)

    def _gather(self, limit: int) -> None:
        """Collect finished batches, and wait until at most `limit` are left with the network."""
        while self._working and (len(self._working) > limit or self._working[0][1].done()):
            batch, future = self._working.popleft()
            for part, rows in zip(batch, future.result(), strict=True):
                self._grow(part, rows)
        self._outgoing.collect()

    def _grow(self, part: Part, rows: NDArray[np.float32]) -> None:
        """Add the rows of a piece to the board of its recording, and send off a whole one."""
        opened, piece = part
        growing = self._growing.get(opened.job)
        if growing is None:
            return  # the rest of it could not be read
        growing.board[piece.first : piece.first + piece.rows] = rows
        growing.missing -= piece.rows
        self._job_log.progress.add_generated(opened.job, piece.rows / opened.rows)
        if not growing.missing:
            del self._growing[opened.job]
            self._send(opened, growing.board)

    def _convert(self, job: Job, take: Take) -> None:
        self._outgoing.write(job, take.duration_s, lambda: take)
        self._outgoing.collect()

    def _send(self, opened: OpenedInput, board: NDArray[np.float32]) -> None:
        if opened.sound is None or self._generator is None:
            raise ValueError("a recording without sound, or without a network")
        assemble = partial(
            assemble_take,
            self._generator,
            board,
            opened.sound,
            opened.settings,
            slate=opened.job.slate,
            stop=self._stop,
        )
        self._outgoing.write(opened.job, opened.rows / ROW_RATE_HZ, assemble)


@dataclass(frozen=True, slots=True)
class RenderWork:
    """What all jobs of a render have in common.

    `weights` is the hash of the weights file, empty where no face is generated.
    """

    settings: RenderConfig
    output_formats: tuple[OutputFormat, ...]
    out: Path
    weights: str


class RenderEngine(Protocol):
    """What does the jobs of a render: this process, or others."""

    def prepare(self, work: RenderWork) -> AbstractContextManager[DoJobs]:
        """Prepare for work; entered, it gives what does jobs and notes them in a log.

        UserError for what concerns all jobs, such as weights and settings.
        """


class LocalEngine:
    """Does the jobs in this process; `load` returns the network."""

    def __init__(self, load: Callable[[Path | None, str], Generator] = load_network) -> None:
        self._load = load

    @contextmanager
    def prepare(self, work: RenderWork) -> Iterator[DoJobs]:
        """Load the network, if one is needed; what is entered renders with it."""
        generator = load_checked(work, work.settings.device, self._load)
        yield partial(render_jobs, generator, work)


def load_checked(
    work: RenderWork,
    device: str,
    load: Callable[[Path | None, str], Generator] = load_network,
) -> Generator | None:
    """Return the network, None where no face is generated. UserError where settings do not fit."""
    if not work.weights:
        return None
    generator = load(work.settings.weights, device)
    check_face_settings(generator, {"": work.settings})
    return generator


def render_jobs(
    generator: Generator | None,
    work: RenderWork,
    jobs: Sequence[Job],
    job_log: JobLog,
    cores: int | None = None,
) -> None:
    """Render jobs in this process; what lies in a store is fetched first, a chunk at a time."""

    def do(here: Sequence[Job]) -> None:
        renderer = Renderer(generator, work.settings, work.output_formats, work.out, job_log, cores)
        renderer.render(here)

    if here := [job for job in jobs if not job.urls]:
        do(here)
    for chunk in chunks(job for job in jobs if job.urls):
        with fetched(chunk, job_log) as here:
            do(here)


NO_INPUT: Final = Problem("render", "no input was given", "name a recording")


def render(
    sources: Sequence[str],
    out: Path,
    settings: RenderConfig,
    *,
    watch: Watch = nullcontext,
    engine: RenderEngine | None = None,
) -> RenderProgress:
    """Render files, folders and patterns into `out` and return the result.

    Outputs that an earlier run finished are kept. `watch` is entered with the progress while the
    work goes on; `engine` does it, by default in this process. UserError for what concerns all
    inputs: none found, two of one name, settings, weights, the folder.
    """
    inputs = find_inputs(sources, out)
    inputs.choose(settings.subject)
    jobs, problems = make_jobs(
        inputs.found, settings.formats, settings.shard, regenerate=settings.regenerate
    )
    problems = [*inputs.problems, *problems]
    if not inputs.found:
        raise UserError.of(problems or [NO_INPUT])
    make_output_folder(out, out)
    weights = weights_hash(settings) if any(job.is_generated for job in jobs) else ""
    output_formats = create_output_formats(settings, weights)
    with Manifest(out, settings.shard) as manifest:
        remove_leftovers(jobs, output_formats, out)
        todo = [
            job for job in jobs if settings.is_forced or not _is_done(job, manifest, output_formats)
        ]
        progress = _new_progress(inputs, jobs, todo)
        for problem in problems:
            progress.fail(problem.where, (problem,))
        fit = [job for job in todo if _is_fit(job, manifest, output_formats, settings, progress)]
        if fit:
            is_generating = any(job.is_generated for job in fit)
            work = RenderWork(settings, output_formats, out, weights if is_generating else "")
            with (engine or LocalEngine()).prepare(work) as do_jobs:
                progress.start_s = host_now()
                with watch(progress):
                    do_jobs(fit, JobLog(manifest, progress))
        progress.end_s = host_now()
    return progress


def _new_progress(inputs: Inputs, jobs: Sequence[Job], todo: Sequence[Job]) -> RenderProgress:
    """Return the progress at the start; jobs that are not to be done are finished."""
    size = sum(job.size for job in todo)
    progress = RenderProgress(len(todo), size, host_now(), len(jobs) - len(todo))
    progress.left_out = len(inputs.left_out)
    progress.notices += filter(None, [*inputs.notices, inputs.notice])
    return progress


def _is_done(job: Job, manifest: Manifest, output_formats: Sequence[OutputFormat]) -> bool:
    wanted = output_formats_of(job, output_formats)
    return bool(wanted) and manifest.is_finished(job, wanted)


def _is_fit(
    job: Job,
    manifest: Manifest,
    output_formats: Sequence[OutputFormat],
    settings: RenderConfig,
    progress: RenderProgress,
) -> bool:
    """Whether a job can be done; note why not."""
    wanted = output_formats_of(job, output_formats)
    problems = []
    if not wanted:
        others = ", ".join(name for name in FORMATS if name != "take")
        problems.append(Problem(job.where, "it already is a take", f"ask for {others}"))
    if not settings.overwrite:
        problems += [
            Problem(str(path), "already exists, and not from a render", "use --overwrite")
            for path in manifest.foreign(job, wanted)
        ]
    if problems:
        manifest.append(ManifestEntry.of(job, JobState.FAILED, problems=tuple(map(str, problems))))
        progress.drop(job)
        progress.fail(job.where, tuple(problems))
    return not problems
