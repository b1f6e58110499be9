"""Inputs on their way in: opened ahead by some threads, in their order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from bridge.render.hearing import open_input

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Executor, Future

    from bridge.render.books import Books
    from bridge.render.hearing import Heard
    from bridge.render.jobs import Job
    from bridge.render.settings import RenderSettings

READ_AHEAD: Final = 12
"""Inputs which are opened before they are asked for. Of each a minute is held: 180 MB."""


def opened(
    jobs: Iterable[Job], settings: RenderSettings, books: Books, threads: Executor
) -> Iterator[Heard]:
    """Yield the inputs in order; note those that cannot be opened."""
    ahead: deque[tuple[Job, Future[Heard]]] = deque()
    for job in jobs:
        ahead.append((job, threads.submit(open_input, job, settings)))
        if len(ahead) >= READ_AHEAD:
            yield from _next(ahead, books)
    while ahead:
        yield from _next(ahead, books)


def _next(ahead: deque[tuple[Job, Future[Heard]]], books: Books) -> Iterator[Heard]:
    job, future = ahead.popleft()
    try:
        heard = future.result()
    except Exception as error:  # noqa: BLE001 - one input must not end the others
        books.tally.drop(job)
        books.fail(job, error)
    else:
        books.tally.note(str(job.source), heard.notices)
        yield heard
