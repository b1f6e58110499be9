"""A Ray cluster as the engine of a render: workers in other processes, on any number of machines.

The driver cuts the jobs into chunks and gives each worker one at a time; a worker renders it as one
machine does, and answers with entries of the manifest. Recordings and outputs go by path or URL,
never through the driver or Ray's object store. Ray places the workers and notices when one dies;
Ray Data is not used, for it repeats what kills its worker without end.
"""

from __future__ import annotations

import os
import platform
import time
from collections import Counter, deque
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.system.process import bound_heap, program_version
from cstalk_bridge.takes.render.fetching import chunks
from cstalk_bridge.takes.render.inputs import MANIFEST_PATTERN
from cstalk_bridge.takes.render.jobs import output_formats_of, weights_hash
from cstalk_bridge.takes.render.pipeline import RenderWork, load_checked, render_jobs
from cstalk_bridge.takes.render.progress import JobLog, JobState, RenderProgress
from cstalk_bridge.takes.render.writing import remove_leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.takes.render.jobs import Job
    from cstalk_bridge.takes.render.pipeline import DoJobs
    from cstalk_bridge.takes.render.progress import ManifestEntry


EXTRA: Final = "ray"
"""The extra of this package that brings Ray."""

ENGINE_FLAG: Final = "--engine ray"


class Worker:
    """Renders chunks of jobs in a process of its own, on one core or one GPU.

    `version` is that of the driver's program.
    """

    def __init__(self, work: RenderWork, device: str, version: str) -> None:
        self._work = work
        self._device = device
        self._version = version
        self._generator: Generator | None = None
        self._cores = 1 if device == "cpu" else None

    def start(self) -> tuple[Problem, ...]:
        """Load the network; return why this worker cannot take part, if it cannot."""
        bound_heap()  # every chunk has threads of its own
        try:
            problems = tuple(self._differences())
            if not problems:
                self._generator = load_checked(self._work, self._device)
        except UserError as error:
            return error.problems
        return problems

    def render(self, jobs: Sequence[Job]) -> tuple[list[ManifestEntry], RenderProgress]:
        """Render jobs; return what became of each, and how much was done."""
        entries: list[ManifestEntry] = []
        progress = RenderProgress(len(jobs), sum(job.size for job in jobs), 0.0)
        render_jobs(self._generator, self._work, jobs, JobLog(entries, progress), self._cores)
        return [entry for entry in entries if entry.state is not JobState.BEGUN], progress

    def _differences(self) -> Iterator[Problem]:
        """Yield what would make outputs of this worker differ, or put them elsewhere."""
        host = platform.node()
        if (version := program_version()) != self._version:
            what = f"has cstalk-bridge {version}, not {self._version}"
            yield Problem(host, what, "install the same version on all nodes")
        weights = self._work.weights
        if weights and weights_hash(self._work.settings) != weights:
            yield Problem(host, "has other weights", "give all nodes the same file")
        if not any(self._work.out.glob(MANIFEST_PATTERN)):
            what = f"does not see {self._work.out}"
            yield Problem(host, what, "use a folder of a file system that all nodes share")


MAX_DEATHS: Final = 3
"""Workers that a job may cost: alone with the last, it is what kills them."""

MAX_FAILED_STARTS: Final = 3
"""Workers in a row that die before they have loaded the network."""

GPU_CORES: Final = 16
"""Cores as which a GPU counts in the size of chunks: one pass of it takes many recordings."""

POLL_S: Final = 0.5
"""How often the cluster is asked for its size."""


@dataclass(slots=True, eq=False)
class _Hired:
    """A worker, and the jobs it has; None while it starts."""

    actor: Any
    jobs: list[Job] | None = None


class WorkerPool:
    """Gives the jobs of a render to as many workers as the cluster has cores, or GPUs.

    A worker that dies is replaced. Its jobs are done again, one by one, so that one that kills its
    workers fails alone.
    """

    def __init__(
        self, ray: Any, work: RenderWork, device: str, limit: int | None, worker: type[Worker]
    ) -> None:
        self._ray = ray
        self._work = work
        self._limit = limit
        self._factor = GPU_CORES if device == "cuda" else 1
        self._resource = "GPU" if device == "cuda" else "CPU"
        needs = {"num_gpus": 1} if device == "cuda" else {"num_cpus": 1}
        self._actor = ray.remote(worker).options(max_restarts=0, max_task_retries=0, **needs)
        self._arguments = (ray.put(work), device, program_version())
        self._idle: list[_Hired] = []
        self._tasks: dict[Any, _Hired] = {}
        """What every worker but the idle ones does, by Ray's reference to its answer."""
        self._refused: list[_Hired] = []
        """Workers that do not fit; they keep their places, or others would come there."""
        self._failed_starts = 0
        self._deaths: Counter[Job] = Counter()
        self._waiting: deque[list[Job]] = deque()

    def do_jobs(self, jobs: Sequence[Job], job_log: JobLog) -> None:
        """Do jobs, whose paths may be relative. UserError where no worker can start."""
        self._waiting = deque(chunks(map(_absolute, jobs), self._factor))
        while self._waiting or self._busy:
            self._hire()
            self._assign(job_log)
            job_log.progress.workers = self._ready
            if not self._tasks:
                time.sleep(POLL_S)
                continue
            done, _ = self._ray.wait(list(self._tasks), num_returns=1, timeout=POLL_S)
            for reference in done:
                self._receive(reference, job_log)

    def stop(self) -> None:
        """End all workers, and what they have begun."""
        for hired in (*self._idle, *self._tasks.values(), *self._refused):
            self._ray.kill(hired.actor)

    @property
    def unfinished(self) -> list[Job]:
        """The jobs that workers have."""
        return [job for hired in self._tasks.values() for job in hired.jobs or ()]

    @property
    def _busy(self) -> int:
        return sum(hired.jobs is not None for hired in self._tasks.values())

    @property
    def _ready(self) -> int:
        return len(self._idle) + self._busy

    def _hire(self) -> None:
        size = int(self._ray.cluster_resources().get(self._resource, 0))
        wanted = min(size if self._limit is None else self._limit, self._busy + len(self._waiting))
        for _ in range(len(self._idle) + len(self._tasks) + len(self._refused), wanted):
            actor = self._actor.remote(*self._arguments)
            self._tasks[actor.start.remote()] = _Hired(actor)

    def _assign(self, job_log: JobLog) -> None:
        while self._waiting and self._idle:
            hired, jobs = self._idle.pop(), self._waiting.popleft()
            for job in jobs:
                job_log.begin(job, output_formats_of(job, self._work.output_formats))
            hired.jobs = jobs
            self._tasks[hired.actor.render.remote(jobs)] = hired

    def _receive(self, reference: Any, job_log: JobLog) -> None:
        hired = self._tasks.pop(reference)
        try:
            answer = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._lose(hired, _reason(error), job_log)
            return
        if hired.jobs is None:
            self._welcome(hired, answer, job_log)
            return
        entries, progress = answer
        for entry in entries:
            job_log.manifest.append(entry)
        job_log.progress.add(progress, sum(job.size for job in hired.jobs))
        hired.jobs = None
        self._idle.append(hired)

    def _welcome(self, hired: _Hired, problems: tuple[Problem, ...], job_log: JobLog) -> None:
        """Take in a worker that has started, unless it gives problems."""
        if not problems:
            self._failed_starts = 0
            self._idle.append(hired)
            return
        self._refused.append(hired)
        if not self._idle and not self._tasks:
            raise UserError.of(problems)
        job_log.progress.notices += map(str, problems)

    def _lose(self, hired: _Hired, reason: str, job_log: JobLog) -> None:
        """Give up a worker that died, or failed at all of its jobs at once, and queue its jobs."""
        self._ray.kill(hired.actor)
        if hired.jobs is None:
            self._failed_starts += 1
            if self._failed_starts >= MAX_FAILED_STARTS and not self._ready:
                remedy = "install the same cstalk-bridge and its packages on all nodes"
                raise UserError(Problem(ENGINE_FLAG, f"workers do not start: {reason}", remedy))
            return
        remove_leftovers(hired.jobs, self._work.output_formats, self._work.out)
        again = "1 input is" if len(hired.jobs) == 1 else f"{len(hired.jobs)} inputs are"
        job_log.progress.notices.append(f"a worker died, {again} rendered again: {reason}")
        self._deaths.update(hired.jobs)
        for job in hired.jobs:
            if self._deaths[job] < MAX_DEATHS:
                self._waiting.appendleft([job])
                continue
            what = f"{MAX_DEATHS} workers died while they rendered it: {reason}"
            job_log.progress.drop(job)
            job_log.fail(job, UserError(Problem(job.where, what, "render it alone, without Ray")))


def _absolute(job: Job) -> Job:
    """Return a job whose paths hold in every working directory; a URL does anyway."""
    if job.urls:
        return job
    sidecar = job.sidecar.absolute() if job.sidecar else None
    return replace(job, source=job.source.absolute(), sidecar=sidecar, shown=job.where)


def _reason(error: Exception) -> str:
    """Return the first sentence of what Ray says about a worker, at most a line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1 if "Traceback" in str(error) else 0][:200] if lines else type(error).__name__


OBJECT_STORE_BYTES: Final = 128 << 20
"""Of a local cluster: only settings and entries pass through it. Ray takes 75 MB at least."""

LOOPBACK: Final = "127.0.0.1"
"""Of a local cluster: whoever reaches one may run code."""


class RayEngine:
    """Does the jobs on the Ray cluster at `address`, None for one on this machine until the end.

    `workers` limits their number, which is otherwise that of the cluster's cores or GPUs; `worker`
    is what each of them runs.
    """

    def __init__(
        self,
        address: str | None = None,
        workers: int | None = None,
        worker: type[Worker] = Worker,
    ) -> None:
        self._address = address
        self._workers = workers
        self._worker = worker

    @contextmanager
    def prepare(self, work: RenderWork) -> Iterator[DoJobs]:
        """Connect to the cluster; what is entered gives jobs to its workers.

        UserError without Ray, without the cluster, and where settings do not fit the weights.
        """
        settings = work.settings
        load_checked(work, "cpu")
        ray = self._connect()
        with ExitStack() as stack:
            stack.callback(ray.shutdown)
            device = settings.device
            if device == "auto":  # of one kind, for outputs of a GPU differ in their last bits
                device = "cuda" if ray.cluster_resources().get("GPU", 0) else "cpu"
            pool = WorkerPool(ray, _absolute_work(work), device, self._workers, self._worker)
            stack.callback(lambda: remove_leftovers(pool.unfinished, work.output_formats, work.out))
            stack.callback(ray.shutdown)
            stack.callback(pool.stop)
            yield pool.do_jobs

    def _connect(self) -> Any:
        # A cluster that we start reports nothing to anybody.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
            import ray.exceptions
        except ImportError as error:
            remedy = f"pip install 'cstalk-bridge[{EXTRA}]'"
            what = f"Ray cannot be imported: {error}"
            raise UserError(Problem(ENGINE_FLAG, what, remedy)) from None
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        try:
            if self._address is None:
                ray.init(
                    address="local",
                    num_cpus=self._workers,
                    object_store_memory=OBJECT_STORE_BYTES,
                    include_dashboard=False,
                    _node_ip_address=LOOPBACK,
                    **quiet,
                )
            else:
                ray.init(address=self._address, **quiet)
        except Exception as error:  # noqa: BLE001 - Ray raises plain ones, too
            what = f"there is no cluster: {_reason(error)}"
            where = f"--address {self._address}" if self._address else ENGINE_FLAG
            raise UserError(Problem(where, what, "check the address, as `ray status`")) from None
        return ray


def _absolute_work(work: RenderWork) -> RenderWork:
    """Return it with paths that hold in every working directory."""
    settings = work.settings
    weights = settings.weights.absolute() if settings.weights else None
    output_formats = tuple(
        replace(each, export=replace(each.export, head=each.export.head.absolute()))
        if each.export.head
        else each
        for each in work.output_formats
    )
    settings = replace(settings, weights=weights)
    return replace(work, settings=settings, output_formats=output_formats, out=work.out.absolute())
