"""Background threads: one task until it is stopped, or jobs one after another.

Work whose results somebody waits for goes to `concurrent.futures` instead.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    Failed = Callable[[Exception], None]


STOP_TIMEOUT_S = 2.0
"""Time given to a thread that only has to notice that it is to end."""
SERVER_STOP_TIMEOUT_S = 5.0
"""Time given to one that closes its connections first, or finishes a step of its work."""

logger = logging.getLogger(__name__)


class Worker:
    """A daemon thread of that name which runs `task` once, from `start` on; also as a context.

    The task returns soon after `is_stopping` became true; `wait` sleeps until then. An exception
    that ends it is logged, kept in `failure` and passed to `failed` on that thread; without
    `failed` it goes to `threading.excepthook`. `stop` waits `timeout_s` for the thread to end, as
    long as it takes by default; one that hangs is left behind and ends with the program.
    """

    def __init__(
        self,
        name: str,
        task: Callable[[], object],
        *,
        timeout_s: float | None = None,
        failed: Failed | None = None,
    ) -> None:
        self.failure: Exception | None = None
        self._task = task
        self._timeout_s = timeout_s
        self._failed = failed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_running(self) -> bool:
        """Whether the thread was started and has not ended."""
        return self._thread.is_alive()

    @property
    def is_stopping(self) -> bool:
        """Whether the task is to return."""
        return self._stopping.is_set()

    def wait(self, duration_s: float) -> bool:
        """Sleep for a duration, or until the task is to return; return whether it is."""
        return self._stopping.wait(duration_s)

    def start(self) -> None:
        """Begin the task. RuntimeError when it was begun before, or no thread can be had."""
        self._thread.start()

    def request_stop(self) -> None:
        """Ask the task to return, without waiting for it."""
        self._stopping.set()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread to end, for `timeout_s` at most; return whether it has ended.

        One that was never started has; the worker's own thread does not wait for itself.
        """
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def stop(self) -> bool:
        """Ask the task to return and wait for it; return whether it has. Harmless when repeated."""
        self.request_stop()
        return self.join(self._timeout_s)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            self._task()
        except Exception as error:
            self.failure = error
            if report(self._thread.name, error, self._failed):
                return
            raise


class JobWorker:
    """A thread that does jobs in their order; of those that wait, `capacity` at most.

    Further ones are refused and counted in `dropped`. A job that raises does not end the thread;
    its exception is logged and passed to `failed`, else to `threading.excepthook`.
    """

    def __init__(self, name: str, capacity: int, *, failed: Failed | None = None) -> None:
        self.dropped = 0
        self._name = name
        self._capacity = capacity
        self._failed = failed
        self._jobs: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._worker = Worker(name, self._run)

    def start(self) -> None:
        """Begin with the jobs."""
        self._worker.start()

    def submit(self, job: Callable[[], None]) -> bool:
        """Do a job when its turn comes; False where too many wait, or the worker was stopped."""
        with self._changed:
            if self._worker.is_stopping or len(self._jobs) >= self._capacity:
                self.dropped += 1
                return False
            self._jobs.append(job)
            self._changed.notify()
        return True

    def stop(self, timeout_s: float = 0.0) -> bool:
        """Accept no more jobs; return whether those accepted are done, after `timeout_s` at most.

        The thread goes on with them until it ends; a job that hangs is left behind.
        """
        with self._changed:
            self._worker.request_stop()
            self._changed.notify()
        return self._worker.join(timeout_s)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except Exception as error:  # noqa: BLE001 - the next job is not to blame
                if not report(self._name, error, self._failed):
                    hook_arguments = (type(error), error, error.__traceback__, None)
                    threading.excepthook(threading.ExceptHookArgs(hook_arguments))

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next job; None when there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._worker.is_stopping)
            return self._jobs.popleft() if self._jobs else None


class CallQueue:
    """Functions that other threads have one thread call, between two steps of its work.

    That thread calls `perform` before each step; `wake` is called when there is something to do.
    """

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self._waiting: deque[tuple[Callable[[], None], threading.Event]] = deque()
        self._wake = wake

    def call(self, function: Callable[[], None], timeout_s: float) -> bool:
        """Have a function called, which must not raise; return whether it was, in that time."""
        done = threading.Event()
        entry = (function, done)
        self._waiting.append(entry)
        self._wake()
        if done.wait(timeout_s):
            return True
        try:
            self._waiting.remove(entry)
        except ValueError:
            # It has just been taken.
            return done.wait(timeout_s)
        return False

    def perform(self) -> None:
        """Call what waits; only for the thread of the queue."""
        while self._waiting:
            function, done = self._waiting.popleft()
            function()
            done.set()


def report(name: str, error: Exception, failed: Failed | None) -> bool:
    """Log what ended the work of a thread, and pass it to its owner; return whether it has one."""
    # Without a log, `logging` would print it to the terminal, which may show the dashboard.
    if logger.hasHandlers():
        logger.error("thread %s failed", name, exc_info=error)
    if failed is None:
        return False
    failed(error)
    return True
