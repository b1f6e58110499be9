"""From jobs to outputs, with reading, network and writing at work at the same time.

    open_input -> pieces -> batches -> network -> assemble_take -> write_output -> manifest
    `---- reading ----'                `-work-'   `--------- writing ---------'

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
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from bridge.errors import UserError
from bridge.render.batches import WAITING_PASSES, batches, faces
from bridge.render.hearing import PiecesAhead, Reach
from bridge.render.incoming import opened
from bridge.render.outgoing import Outgoing
from bridge.takes.encoded import EncodedSound
from bridge.takes.generate import assemble_take
from models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bridge.render.batches import Batch, Part
    from bridge.render.books import Books
    from bridge.render.hearing import Heard
    from bridge.render.jobs import Job
    from bridge.render.settings import Outlet, RenderSettings
    from bridge.takes.take import Take
    from models.generator import Generator

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
        settings: RenderSettings,
        outlets: Sequence[Outlet],
        out: Path,
        books: Books,
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
        self._outgoing = Outgoing(outlets, out, books, self._writers)
        self._keeps_sound = any(outlet.form.id == "take" for outlet in outlets)

    def render(self, jobs: Iterable[Job]) -> None:
        """Render all jobs."""
        pass_rows = self._generator.engine.pass_rows
        waiting_rows = WAITING_PASSES[self._generator.device] * pass_rows
        work = partial(faces, self._generator, lookahead_ms=self._settings.lookahead_ms)
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
        reach = Reach(self._generator.window_hops + ahead_rows, ahead_rows)
        for heard in opened(jobs, self._settings, self._books, self._readers):
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

    def _pieces(self, heard: Heard, reach: Reach) -> Iterator[Part]:
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

    def _send(self, heard: Heard, board: NDArray[np.float32]) -> None:
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
