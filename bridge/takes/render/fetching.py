"""Recordings of object stores on their way to the network: chunks of jobs, fetched into a folder.

An object is read whole before it is opened, because decoders seek.
"""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.takes.render.remote import fetch_remote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cstalk_bridge.takes.render.jobs import Job
    from cstalk_bridge.takes.render.progress import JobLog


FETCHES: Final = 8
"""Objects that are fetched at once."""

MAX_CHUNK_JOBS: Final = 16
MAX_CHUNK_BYTES: Final = 4 << 20
"""Of the recordings of a chunk, unless one alone is larger: two minutes of 16 kHz PCM, which are
half a second's work for a core."""


def chunks(jobs: Iterable[Job], factor: int = 1) -> Iterator[list[Job]]:
    """Yield all jobs in chunks of bounded number and size, of about one length, longest first.

    A worker that takes the next chunk when it is done then ends about when the others do. The
    bounds are `factor` times those of a core.
    """
    most_jobs, most_bytes = factor * MAX_CHUNK_JOBS, factor * MAX_CHUNK_BYTES
    chunk: list[Job] = []
    size = 0
    for job in sorted(jobs, key=lambda job: job.size, reverse=True):
        if chunk and (len(chunk) >= most_jobs or size + job.size > most_bytes):
            yield chunk
            chunk, size = [], 0
        chunk.append(job)
        size += job.size
    if chunk:
        yield chunk


@contextmanager
def fetched(jobs: Sequence[Job], job_log: JobLog) -> Iterator[list[Job]]:
    """Fetch the recordings of jobs, with their sidecars; yield those that are here until leaving.

    What cannot be fetched is noted as failed.
    """
    folder = Path(tempfile.mkdtemp(prefix="cstalk-render-"))
    try:
        with ThreadPoolExecutor(FETCHES, "fetching") as threads:
            results = list(threads.map(partial(_fetch, folder), range(len(jobs)), jobs))
        here: list[Job] = []
        for job, result in zip(jobs, results, strict=True):
            if isinstance(result, UserError):
                job_log.progress.drop(job)
                job_log.fail(job, result)
            else:
                here.append(result)
        yield here
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fetch(folder: Path, number: int, job: Job) -> Job | UserError:
    """Return a job whose recording lies in the folder; what went wrong otherwise."""
    stem = job.urls[0].removesuffix(PurePosixPath(job.urls[0]).suffix)
    # Names of ours: those of objects may be none for this system.
    paths = [folder / f"{number}{url.removeprefix(stem)}" for url in job.urls]
    try:
        for url, path in zip(job.urls, paths, strict=True):
            fetch_remote(url, path)
    except UserError as error:
        return error
    source, *sidecars = paths
    return replace(job, source=source, sidecar=next(iter(sidecars), None))
