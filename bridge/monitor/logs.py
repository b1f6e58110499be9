"""The log: what a show leaves behind, one line for each event.

Everything goes through Python's `logging`, under the loggers `bridge` and `models`. No thread that
logs waits for a disk: records go into a bounded queue, which a thread of its own writes out.
"""

from __future__ import annotations

import errno
import logging.handlers
import platform
import queue
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cstalk_bridge.errors import Problem, UserError
from cstalk_bridge.monitor.status_lines import MonitorThread, StatusReport
from cstalk_bridge.system.process import program_version
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cstalk_bridge.monitor.metrics import Metrics


LOGGERS = ("cstalk_bridge",)
FILE_BYTES, KEPT_FILES = 5_000_000, 4
"""A file that is full becomes FILE.1, up to so many; then the oldest goes: 25 MB at most."""
HELD_BYTES = FILE_BYTES * (1 + KEPT_FILES)
"""What the file grows to where it cannot be renamed: 45 MB with the files before it."""
WAITING_RECORDS = 1000
"""Records that wait to be written; what comes beyond is left out and counted."""
LINE = "%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s"

logger = logging.getLogger(__name__)


class OneLineFormatter(logging.Formatter):
    """Keeps a record on one line, its traceback too."""

    def __init__(self) -> None:
        super().__init__(LINE, "%Y-%m-%d %H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        return " | ".join(super().format(record).splitlines())


class BoundedQueueHandler(logging.handlers.QueueHandler):
    """Hands records on while there is room, and counts those left out in `dropped`."""

    def __init__(self) -> None:
        self.waiting: queue.Queue[logging.LogRecord] = queue.Queue(WAITING_RECORDS)
        self.dropped = 0
        super().__init__(self.waiting)

    def enqueue(self, record: logging.LogRecord) -> None:
        """Let a record wait to be written."""
        try:
            self.waiting.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class LogFile(logging.handlers.RotatingFileHandler):
    """A file that is rotated; what cannot be written, as on a full disk, is lost and counted.

    On Windows a file that another program reads cannot be renamed: it then grows to `HELD_BYTES`.
    """

    def __init__(self, path: Path) -> None:
        self.lost = 0
        super().__init__(
            path, maxBytes=FILE_BYTES, backupCount=KEPT_FILES, encoding="utf-8", errors="replace"
        )

    def doRollover(self) -> None:  # noqa: N802 - logging's
        """Begin a new file; while that cannot be, go on in this one. OSError at its limit."""
        size_bytes = 0
        if self.stream is not None:
            size_bytes = self.stream.tell()
            self.stream.close()
            self.stream = None
        # Else the files before it would move on at each record, and the oldest go, for nothing.
        if all(map(_can_be_renamed, self._files())):
            super().doRollover()
        elif size_bytes >= HELD_BYTES:
            raise OSError(errno.EFBIG, "the log cannot be rotated", self.baseFilename)

    def _files(self) -> list[Path]:
        current = Path(self.baseFilename)
        return [current, *(Path(f"{current}.{number + 1}") for number in range(KEPT_FILES))]

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's
        """Count a record that is lost; a show does not end for its log."""
        self.lost += 1


class LogMonitor(MonitorThread):
    """Logs what a dashboard shows: notices, changes of state, and a status line now and then."""

    def __init__(self, metrics: Metrics, now: Callable[[], float] = host_now) -> None:
        super().__init__(metrics, now)
        self._report = StatusReport(metrics)

    def run(self) -> None:
        """Log until closing, and what is new at the end."""
        is_open = True
        while is_open:
            is_open = self.wait()
            for line in self._report.lines(self.now()):
                logger.info("%s", line)


@contextmanager
def log_to(path: Path | None, *, is_verbose: bool) -> Iterator[None]:
    """Log to a file, or without one to standard error where it `is_verbose`; else nowhere.

    `is_verbose` adds what is of use to developers alone. What the body raises is logged with its
    traceback and goes on. UserError where the file cannot be written.
    """
    if path is None and not is_verbose:
        yield
        return
    written = _writer(path)
    written.setFormatter(OneLineFormatter())
    handler = BoundedQueueHandler()
    writing = logging.handlers.QueueListener(handler.waiting, written)
    loggers = [logging.getLogger(name) for name in LOGGERS]
    for each in loggers:
        each.addHandler(handler)
        each.setLevel(logging.DEBUG if is_verbose else logging.INFO)
    writing.start()
    try:
        logger.info("cstalk-bridge %s on %s", program_version(), platform.platform())
        yield
    except UserError as error:
        for problem in error.problems:
            logger.log(logging.ERROR, "%s", problem)
        raise
    except Exception:
        logger.exception("the run ended by a fault of the program")
        raise
    finally:
        if handler.dropped:
            logger.warning("%d records were left out of the log", handler.dropped)
        for each in loggers:
            each.removeHandler(handler)
            each.setLevel(logging.NOTSET)
        writing.stop()
        with suppress(OSError):
            written.close()


@contextmanager
def log_metrics(metrics: Metrics) -> Iterator[None]:
    """Log what the metrics tell meanwhile, where there is a log."""
    if not logger.isEnabledFor(logging.INFO):
        yield
        return
    with LogMonitor(metrics):
        yield


def _can_be_renamed(path: Path) -> bool:
    try:
        path.rename(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _writer(path: Path | None) -> logging.Handler:
    if path is None:
        return logging.StreamHandler(sys.stderr)
    try:
        return LogFile(path)
    except OSError as error:
        what = f"the log cannot be written: {error.strerror or error}"
        raise UserError(Problem(str(path), what, "name a file in a folder that exists")) from None
