"""The process: standard streams, signals, memory, exit codes, and the version of the program.

Imports no numpy: `limit_math_threads` counts only before numpy is first imported.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import io
import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.models.public import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


PROGRAM_NAME = "CSTalk Bridge"
"""As devices, takes and sound files call it."""


def program_version() -> str:
    """Return the version of the program."""
    return __version__


STREAMS = (("stdin", os.O_RDONLY, "r"), ("stdout", os.O_WRONLY, "w"), ("stderr", os.O_WRONLY, "w"))
"""Name in `sys`, flags and mode, in the order of their descriptors."""


def open_standard_streams() -> None:
    """Open the null device in place of each standard stream that is closed.

    What the encoding of stdout lacks is escaped, as on stderr: names of files and devices in a pipe
    on Windows.
    """
    for descriptor, (name, flags, mode) in enumerate(STREAMS):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, flags)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
        if getattr(sys, name) is None:
            # Not to be closed with the stream: the number would be free again.
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


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


def prepare_steady_state() -> None:
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


DONE, FAULT, USER_ERROR = 0, 1, 2
INTERRUPTED = 130
"""What a shell reports for Ctrl-C: 128 + SIGINT."""

TRACEBACK_VARIABLE = "CSTALK_TRACEBACK"
"""Environment variable: set to 1, a fault of ours is shown with its traceback."""


def guarded(action: Callable[[], int]) -> int:
    """Return the exit code of an action, after a message where it raised."""
    try:
        code = action()
        sys.stdout.flush()
    except UserError as error:
        for problem in error.problems:
            _print_error(str(problem))
        return USER_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if _is_reader_gone(error):
            # Python's own flush at exit must not fail too.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return DONE
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        text = " ".join(str(error).split())
        _print_error(f"{type(error).__name__}: {text}" if text else type(error).__name__)
        _print_error(f"this is an internal error; set {TRACEBACK_VARIABLE}=1 to see its traceback")
        return FAULT
    return code


def _is_reader_gone(error: Exception) -> bool:
    """Whether an error says that the reader of stdout, such as `head`, has seen enough.

    Windows reports that as EINVAL, as it does much else: there another line is tried.
    """
    if isinstance(error, OSError) and error.errno == errno.EINVAL:
        try:
            print(flush=True)
        except OSError:
            return True
    return isinstance(error, BrokenPipeError)


def _print_error(message: str) -> None:
    # Nobody may be left to read it; the exit code reports the failure too.
    with suppress(OSError):
        print(f"cstalk-bridge: {message}", file=sys.stderr, flush=True)
