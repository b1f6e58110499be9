"""A program that records until it is killed, in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from typing import TYPE_CHECKING, Any

from tests.takes.recording.harness import RecorderHarness

if TYPE_CHECKING:
    from pathlib import Path


TIMEOUT_S = 30.0
AHEAD_S = 2.0
"""Time on the harness, which passes faster than that outside, not to be further ahead of the disk:
less than what waits for one that stalls."""


def record(folder: Path, number: int, pipe: Any) -> None:
    """Record as fast as the disk takes it, for ever."""
    harness = RecorderHarness(folder, subjects=("Anna", "Ben"), interval_s=0.0005)
    harness.recorder.start("Killed", number)
    take = harness.recorder.take
    assert take is not None
    # Every fourth is killed while its files are made, the others in their middle.
    is_reported = number % 4 == 0
    if is_reported:
        pipe.send(number)
    while True:
        if harness.number / 60 - take.duration_s < AHEAD_S:
            harness.step()
        time.sleep(0.0001)
        if not is_reported and take.duration_s > 0:
            is_reported = True
            pipe.send(number)


def kill_while_recording(folder: Path, takes: int) -> None:
    """Begin so many takes one after another, and kill each at some moment."""
    # Windows has no server to fork from, and kills with TerminateProcess: just as hard.
    is_server = "forkserver" in multiprocessing.get_all_start_methods()
    processes = multiprocessing.get_context("forkserver" if is_server else "spawn")
    if is_server:
        processes.set_forkserver_preload(["tests.takes.recording.killed"])
    rng = random.Random(4)
    for number in range(1, takes + 1):
        ours, theirs = processes.Pipe()
        process = processes.Process(target=record, args=(folder, number, theirs), daemon=True)  # type: ignore[attr-defined]
        process.start()
        assert ours.poll(TIMEOUT_S)
        time.sleep(rng.uniform(0.0, 0.03))
        os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        process.join(TIMEOUT_S)
        ours.close()
        theirs.close()
