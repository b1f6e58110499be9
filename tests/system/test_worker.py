from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.system.worker import CallQueue, JobWorker, Worker

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT_S = 10.0


def test_a_task_runs_on_a_daemon_thread_of_its_name() -> None:
    seen: list[threading.Thread] = []
    worker = Worker("reader", lambda: seen.append(threading.current_thread()))
    worker.start()
    assert worker.join(TIMEOUT_S)
    assert [(thread.name, thread.daemon) for thread in seen] == [("reader", True)]
    assert not worker.is_running
    assert not worker.is_stopping
    assert worker.failure is None


def test_stopping_wakes_a_waiting_task_and_waits_for_its_end() -> None:
    stop_seen: list[bool] = []

    def task() -> None:
        stop_seen.append(worker.wait(60.0))

    worker = Worker("waiting", task)
    with worker:
        assert worker.is_running
    assert stop_seen == [True]
    assert worker.is_stopping
    assert not worker.is_running
    assert worker.stop()


def test_a_task_that_hangs_is_abandoned() -> None:
    hang = threading.Event()
    worker = Worker("hanging", hang.wait, timeout_s=0.01)
    worker.start()
    assert not worker.stop()
    assert worker.is_running
    hang.set()
    assert worker.join(TIMEOUT_S)


def test_a_worker_that_never_started_can_be_stopped() -> None:
    worker = Worker("idle", lambda: None)
    assert worker.stop()


def test_a_task_may_stop_its_own_worker() -> None:
    stopped: list[bool] = []

    def task() -> None:
        stopped.append(worker.stop())

    worker = Worker("own", task)
    worker.start()
    assert worker.join(TIMEOUT_S)
    assert stopped == [False]


def test_a_worker_starts_only_once() -> None:
    with Worker("once", lambda: None) as worker, pytest.raises(RuntimeError):
        worker.start()


def fail() -> None:
    raise ValueError("broken")


def test_a_failure_reaches_the_owner_and_the_log(caplog: pytest.LogCaptureFixture) -> None:
    failures: list[Exception] = []
    with caplog.at_level(logging.ERROR), Worker("failing", fail, failed=failures.append) as worker:
        assert worker.join(TIMEOUT_S)
    assert [str(failure) for failure in failures] == ["broken"]
    assert failures == [worker.failure]
    assert "thread failing failed" in caplog.text
    assert "ValueError: broken" in caplog.text


@pytest.fixture
def hooked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reached the hook for exceptions of threads that have no owner."""
    found: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: found.append(str(args.exc_value)))
    return found


def test_a_failure_without_an_owner_reaches_the_hook_of_all_threads(hooked: list[str]) -> None:
    with Worker("failing", fail) as worker:
        assert worker.join(TIMEOUT_S)
    assert hooked == ["broken"]
    assert isinstance(worker.failure, ValueError)


def test_jobs_run_in_order_and_before_the_end() -> None:
    done: list[int] = []
    worker = JobWorker("jobs", 10)
    for number in range(10):
        assert worker.submit(lambda number=number: done.append(number))  # type: ignore[misc]
    worker.start()
    assert worker.stop(TIMEOUT_S)
    assert done == list(range(10))
    assert worker.dropped == 0


def test_jobs_beyond_the_limit_are_refused_and_counted() -> None:
    begun, release = threading.Event(), threading.Event()
    done: list[str] = []

    def hold() -> None:
        begun.set()
        release.wait(TIMEOUT_S)

    worker = JobWorker("jobs", 2)
    worker.start()
    assert worker.submit(hold)
    assert begun.wait(TIMEOUT_S)
    answers = [worker.submit(lambda name=name: done.append(name)) for name in "abcd"]  # type: ignore[misc]
    assert answers == [True, True, False, False]
    assert worker.dropped == 2
    assert not worker.stop()
    release.set()
    assert worker.stop(TIMEOUT_S)
    assert done == ["a", "b"]
    assert not worker.submit(hold)
    assert worker.dropped == 3


def run_jobs(worker: JobWorker, *jobs: Callable[[], None]) -> None:
    worker.start()
    assert all(map(worker.submit, jobs))
    assert worker.stop(TIMEOUT_S)


def test_a_job_that_fails_does_not_end_the_worker() -> None:
    failures: list[Exception] = []
    done: list[bool] = []
    run_jobs(JobWorker("jobs", 2, failed=failures.append), fail, lambda: done.append(True))
    assert [str(failure) for failure in failures] == ["broken"]
    assert done == [True]


def test_the_failure_of_a_job_without_an_owner_reaches_the_hook(hooked: list[str]) -> None:
    done: list[bool] = []
    run_jobs(JobWorker("jobs", 2), fail, lambda: done.append(True))
    assert hooked == ["broken"]
    assert done == [True]


def test_a_worker_without_jobs_ends() -> None:
    worker = JobWorker("jobs", 1)
    assert worker.stop()
    worker.start()
    assert worker.stop(TIMEOUT_S)


def test_a_call_runs_between_two_steps_of_the_thread_that_performs_it() -> None:
    seen: list[str] = []
    woken = threading.Event()
    queue = CallQueue(woken.set)
    over = threading.Event()

    def steps() -> None:
        while not over.is_set():
            queue.perform()
            woken.wait(0.001)

    with Worker("steps", steps):
        assert queue.call(lambda: seen.append(threading.current_thread().name), TIMEOUT_S)
        over.set()
    assert (seen, woken.is_set()) == (["steps"], True)


def test_a_call_that_nobody_performs_in_time_is_withdrawn() -> None:
    seen: list[str] = []
    queue = CallQueue()
    assert not queue.call(lambda: seen.append("late"), 0.01)
    queue.perform()
    assert seen == []
