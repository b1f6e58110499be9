"""What the bridge asks of its own process: to be woken in time, and to be told to stop."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

STDERR = 2
SWITCH_INTERVAL_S = 0.0005
"""How long a thread may keep the interpreter from another: a tick wakes in 0.5 ms, not in 5."""

STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Ctrl+C, a request to end, a terminal that was closed, and Ctrl+Break, which is how Windows asks
for both."""

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
"""Parameters of glibc's mallopt, by its malloc.h."""
HEAPS = 2
LARGE_BYTES = 256 * 1024
"""A block from this size on is taken from the system and given back when it is freed."""

MATH_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment variables which keep numpy and torch to one thread: for sums as small as ours
several are slower, and stall when the machine is busy."""


def limit_math_threads() -> None:
    """Set `MATH_THREADS` where the user has not; it counts before numpy is first imported."""
    for name, value in MATH_THREADS.items():
        os.environ.setdefault(name, value)


def bound_heap() -> None:
    """Keep the C library from holding on to memory that is free; call before threads start.

    glibc gives threads heaps of their own, up to eight for each core, and learns to take ever
    larger blocks from them; over hours of threads that come and go each keeps its scraps. Two heaps
    are enough where one thread at a time holds the interpreter. Does nothing on other systems.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(M_ARENA_MAX, HEAPS)
        library.mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


def settle() -> None:
    """Make the process fit for a steady rhythm, once all is loaded and warm.

    What is loaded leaves the garbage collector's reach: a full collection would take 80 ms.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep C libraries off the terminal; what Python prints to stderr still gets there.

    A sound driver's own thread prints when its device dies, in the middle of the dashboard.
    """
    ours, theirs = os.dup(STDERR), os.dup(STDERR)
    before = sys.stderr
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device, not a path
        os.dup2(nowhere.fileno(), STDERR)
    sys.stderr = os.fdopen(ours, "w", buffering=1, encoding=before.encoding, errors=before.errors)
    try:
        yield
    finally:
        # Whoever read it may be gone.
        with suppress(OSError):
            sys.stderr.close()
        sys.stderr = before
        os.dup2(theirs, STDERR)
        os.close(theirs)


@contextmanager
def stop_on_signals(stop: threading.Event) -> Iterator[None]:
    """Let `STOP_SIGNALS` set `stop`, but for those that `nohup` and its like have us ignore.

    Outside of the main thread, which alone may, do nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    numbers = [getattr(signal, name) for name in STOP_SIGNALS if hasattr(signal, name)]
    heeded = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
