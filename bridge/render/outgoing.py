"""Takes on their way out: written by some threads, noted by the one that hands them over."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bridge.render.settings import outlets_of
from bridge.render.writing import write_output

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor, Future
    from pathlib import Path

    from bridge.render.books import Books
    from bridge.render.jobs import Job
    from bridge.render.settings import Outlet
    from bridge.takes.take import Take

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


class Outgoing:
    """Writes takes into a folder, with `threads`, and notes in `books` what became of them."""

    def __init__(
        self, outlets: Sequence[Outlet], out: Path, books: Books, threads: Executor
    ) -> None:
        self._outlets = outlets
        self._out = out
        self._books = books
        self._threads = threads
        self._unwritten: deque[_Unwritten] = deque()

    def write(self, job: Job, duration_s: float, make: Callable[[], Take]) -> None:
        """Hand over a take of that length, which `make` returns in one of the threads."""
        outlets = outlets_of(job, self._outlets)
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


def _write(take: Future[Take], job: Job, out: Path, outlet: Outlet) -> dict[str, str]:
    return write_output(take.result(), job, outlet, out)
