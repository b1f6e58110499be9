"""From jobs to outputs, with reading, network and writing at work at the same time.

    open_input -> pieces -> batches -> network -> write_output -> manifest
    `---- reading ----'                `-work-'   `-writing-'

This thread hands things on and keeps the books; others read ahead of the network, run it, and write
behind it. What lies between is bounded, so that memory does not grow with the number or the length
of recordings. On a CPU the network runs on every core, each on pieces of its own: that is faster
than all cores on one piece, and does not stall when the machine is busy.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from bridge.errors import Problem, UserError
from bridge.render.batches import WAITING_PASSES, batches, faces
from bridge.render.hearing import PiecesAhead, open_input
from bridge.render.manifest import Entry, State
from bridge.render.settings import outlets_of
from bridge.render.writing import write_output
from bridge.takes.generate import assemble_take

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bridge.render.batches import Batch, Part
    from bridge.render.hearing import Heard
    from bridge.render.jobs import Job
    from bridge.render.manifest import Manifest
    from bridge.render.settings import Outlet, RenderSettings
    from bridge.render.tally import Tally
    from bridge.takes.take import Take
    from models.generator import Generator

    Boards = list[NDArray[np.float32]]

READ_AHEAD: Final = 12
"""Inputs which are opened before the network asks for them. Of each a minute is held: 180 MB."""

UNWRITTEN_S: Final = 600.0
"""Takes which wait to be written, in seconds of sound: 120 MB, or one longer take."""

MAX_THREADS: Final = 8
"""Threads of each kind at most: the interpreter serves no more."""


@dataclass(slots=True, eq=False)
class _Growing:
    """The board of a recording whose pieces come from the network one by one."""

    board: NDArray[np.float32]
    missing: int


@dataclass(frozen=True, slots=True, eq=False)
class _Written:
    """A take that is being written: one future for each of its outputs."""

    job: Job
    duration_s: float
    outputs: list[Future[dict[str, str]]]

    @property
    def is_done(self) -> bool:
        return all(output.done() for output in self.outputs)


class Renderer:
    """Renders jobs into a folder.

    Whatever is wrong with one input is counted in `tally` and written to the manifest; the rest
    goes on.
    """

    def __init__(
        self,
        generator: Generator,
        settings: RenderSettings,
        outlets: Sequence[Outlet],
        manifest: Manifest,
        out: Path,
        tally: Tally,
    ) -> None:
        self._generator = generator
        self._settings = settings
        self._outlets = outlets
        self._manifest = manifest
        self._out = out
        self._tally = tally
        self._stop = threading.Event()
        self._growing: dict[Job, _Growing] = {}
        self._working: deque[tuple[Batch, Future[Boards]]] = deque()
        self._writing: deque[_Written] = deque()
        cores = min(MAX_THREADS, os.cpu_count() or 1)
        self._networks = cores if generator.device.type == "cpu" else 1
        self._readers = ThreadPoolExecutor(max(1, cores // 2), "reading")
        self._network = ThreadPoolExecutor(self._networks, "network")
        self._writers = ThreadPoolExecutor(cores, "writing")

    def render(self, jobs: Iterable[Job]) -> None:
        """Render all jobs."""
        from models.passes import PASS_ROWS

        pass_rows = PASS_ROWS[self._generator.device.type]
        waiting_rows = WAITING_PASSES[self._generator.device.type] * pass_rows
        work = partial(faces, self._generator, lookahead_ms=self._settings.lookahead_ms)
        try:
            for batch in batches(self._parts(jobs), pass_rows, waiting_rows):
                self._working.append((batch, self._network.submit(work, batch)))
                self._gather(2 * self._networks)
            self._gather(0)
            self._collect(0.0)
        finally:
            self._stop.set()
            for threads in (self._readers, self._network, self._writers):
                threads.shutdown(cancel_futures=True)

    def _parts(self, jobs: Iterable[Job]) -> Iterator[Part]:
        """Yield all pieces of all recordings; takes go straight to their outputs."""
        ahead_rows = self._generator.delay_hops(self._settings.lookahead_ms)
        for heard in self._opened(jobs):
            if heard.take is not None:
                self._tally.heard(heard.job, 1.0)
                self._write(heard.job, heard.take)
                continue
            board = np.zeros((heard.rows, len(self._generator.channels)), dtype=np.float32)
            self._growing[heard.job] = _Growing(board, heard.rows)
            if heard.piece is not None:
                yield heard, heard.piece
                continue
            pieces = PiecesAhead(heard, ahead_rows, self._stop)
            self._readers.submit(pieces.read)
            try:
                for piece in pieces:
                    yield heard, piece
            except UserError as error:
                self._fail(heard.job, error)

    def _opened(self, jobs: Iterable[Job]) -> Iterator[Heard]:
        """Yield the inputs in order, opened ahead; note those that cannot be."""
        ahead: deque[tuple[Job, Future[Heard]]] = deque()
        for job in jobs:
            ahead.append((job, self._readers.submit(open_input, job, self._settings)))
            if len(ahead) >= READ_AHEAD:
                yield from self._next_opened(ahead)
        while ahead:
            yield from self._next_opened(ahead)

    def _next_opened(self, ahead: deque[tuple[Job, Future[Heard]]]) -> Iterator[Heard]:
        job, future = ahead.popleft()
        try:
            yield future.result()
        except Exception as error:  # noqa: BLE001 - one input must not end the others
            self._tally.drop(job)
            self._fail(job, error)

    def _gather(self, most: int) -> None:
        """Take what the network has made, and wait until it has no more than `most` batches."""
        while self._working and (len(self._working) > most or self._working[0][1].done()):
            batch, future = self._working.popleft()
            for (heard, piece), rows in zip(batch, future.result(), strict=True):
                growing = self._growing.get(heard.job)
                if growing is None:
                    continue
                growing.board[piece.first : piece.first + piece.rows] = rows
                growing.missing -= piece.rows
                self._tally.heard(heard.job, piece.rows / heard.rows)
                if not growing.missing:
                    del self._growing[heard.job]
                    self._write(heard.job, self._take(heard, growing.board))
        self._collect(UNWRITTEN_S)

    def _take(self, heard: Heard, board: NDArray[np.float32]) -> Take:
        sound = heard.sound
        if sound is None:
            raise ValueError("a recording without sound")
        return assemble_take(self._generator, board, sound, heard.settings, slate=heard.job.slate)

    def _write(self, job: Job, take: Take) -> None:
        outlets = outlets_of(job, self._outlets)
        begun = {str(job.output(outlet.form)): "" for outlet in outlets}
        self._manifest.append(Entry.of(job, State.BEGUN, outputs=begun))
        write = partial(write_output, take, job, out=self._out)
        outputs = [self._writers.submit(write, outlet) for outlet in outlets]
        self._writing.append(_Written(job, take.duration_s, outputs))

    def _collect(self, most_s: float) -> None:
        """Note what has been written, and wait until no more than `most_s` is left to write."""
        while self._writing:
            unwritten_s = sum(written.duration_s for written in self._writing)
            if unwritten_s <= most_s and not self._writing[0].is_done:
                return
            written = self._writing.popleft()
            try:
                outputs = [output.result() for output in written.outputs]
            except Exception as error:  # noqa: BLE001 - one input must not end the others
                self._fail(written.job, error)
                continue
            told = {place: said for output in outputs for place, said in output.items()}
            self._manifest.append(Entry.of(written.job, State.DONE, outputs=told))
            self._tally.finish(written.job, written.duration_s)

    def _fail(self, job: Job, error: Exception) -> None:
        self._growing.pop(job, None)
        if isinstance(error, UserError):
            problems = error.problems
        else:
            what = f"a fault of the program: {type(error).__name__}: {error}"
            problems = (Problem(str(job.source), what),)
        self._manifest.append(Entry.of(job, State.FAILED, problems=tuple(map(str, problems))))
        self._tally.fail(str(job.source), problems)
