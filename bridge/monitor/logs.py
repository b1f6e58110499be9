"""The log of a run: one line for each event.

Everything goes through Python's `logging`, under the logger `cstalk_bridge`. No thread that logs
waits for a disk: records go into a bounded queue, which a thread of its own writes to the file.
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

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.monitor.status_lines import MonitorThread, StatusReport
from cstalk_bridge.system.process import program_version
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cstalk_bridge.monitor.metrics import Metrics


LOGGERS = ("cstalk_bridge",)
FILE_BYTES, KEPT_FILES = 5_000_000, 4
"""A full file is renamed to FILE.1, up to this number; the oldest is deleted: 25 MB at most."""
HELD_BYTES = FILE_BYTES * (1 + KEPT_FILES)
"""Largest size of a file that cannot be renamed: 45 MB with the files before it."""
WAITING_RECORDS = 1000
"""Capacity of the queue of records; further records are dropped and counted."""
LINE = "%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s"

logger = logging.getLogger(__name__)


class OneLineFormatter(logging.Formatter):
    """Formats a record as one line, including its traceback."""

    def __init__(self) -> None:
        super().__init__(LINE, "%Y-%m-%d %H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        return " | ".join(super().format(record).splitlines())


class BoundedQueueHandler(logging.handlers.QueueHandler):
    """Queues records while there is room; `dropped` counts the others."""

    def __init__(self, target: logging.Handler | None = None) -> None:
        self.waiting: queue.Queue[logging.LogRecord] = queue.Queue(WAITING_RECORDS)
        self.dropped = 0
        self._target = target
        super().__init__(self.waiting)

    @property
    def lost(self) -> int:
        """Records that were dropped here or could not be written by the target."""
        return self.dropped + (self._target.lost if isinstance(self._target, LogFile) else 0)

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queue a record, or drop and count it."""
        try:
            self.waiting.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class LogFile(logging.handlers.RotatingFileHandler):
    """A rotating log file; `lost` counts records that could not be written, as on a full disk.

    On Windows a file that another program reads cannot be renamed: it then grows to `HELD_BYTES`.
    """

    def __init__(self, path: Path) -> None:
        self.lost = 0
        super().__init__(
            path, maxBytes=FILE_BYTES, backupCount=KEPT_FILES, encoding="utf-8", errors="replace"
        )

    def doRollover(self) -> None:  # noqa: N802 - logging's
        """Begin a new file, or go on in this one if it cannot be renamed. OSError at its limit."""
        size_bytes = 0
        if self.stream is not None:
            size_bytes = self.stream.tell()
            self.stream.close()
            self.stream = None
        # Otherwise every record would rename the older files again and delete the oldest one.
        if all(map(_can_be_renamed, self._files())):
            super().doRollover()
        elif size_bytes >= HELD_BYTES:
            raise OSError(errno.EFBIG, "the log cannot be rotated", self.baseFilename)

    def _files(self) -> list[Path]:
        current = Path(self.baseFilename)
        return [current, *(Path(f"{current}.{number + 1}") for number in range(KEPT_FILES))]

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's
        """Count a lost record; a run does not end because of its log."""
        self.lost += 1


class LogMonitor(MonitorThread):
    """Logs what a dashboard shows: notices, changes of health, and status lines."""

    def __init__(self, metrics: Metrics, now: Callable[[], float] = host_now) -> None:
        super().__init__(metrics, now)
        self._report = StatusReport(metrics)

    def run(self) -> None:
        """Log new events until closing, and the last ones then."""
        is_open = True
        while is_open:
            is_open = self.wait()
            for event in self._report.events(self.now()):
                level = logging.WARNING if event.is_warning else logging.INFO
                logger.log(level, "%s", event.text)


@contextmanager
def log_to(path: Path | None, *, is_verbose: bool) -> Iterator[None]:
    """Log to a file, without one to standard error if `is_verbose`, otherwise nowhere.

    `is_verbose` includes debug records. Exceptions of the body are logged and raised again, those
    that are no UserError with their traceback. UserError where the file cannot be written.
    """
    if path is None and not is_verbose:
        yield
        return
    written = _writer(path)
    written.setFormatter(OneLineFormatter())
    handler = BoundedQueueHandler(written)
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
        logger.exception("the run ended with an internal error")
        raise
    finally:
        if handler.dropped:
            logger.warning("%d log records were dropped", handler.dropped)
        for each in loggers:
            each.removeHandler(handler)
            each.setLevel(logging.NOTSET)
        writing.stop()
        with suppress(OSError):
            written.close()


@contextmanager
def log_metrics(metrics: Metrics) -> Iterator[None]:
    """Log the events of the metrics meanwhile, and count in them what the log loses.

    Does nothing without a log.
    """
    if not logger.isEnabledFor(logging.INFO):
        yield
        return
    metrics.lost_log_records = lost_records
    with LogMonitor(metrics):
        yield


def lost_records() -> int:
    """Return how many records the open log has dropped, or could not write."""
    handlers = (each for name in LOGGERS for each in logging.getLogger(name).handlers)
    return sum(each.lost for each in handlers if isinstance(each, BoundedQueueHandler))


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
