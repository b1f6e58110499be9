"""Whose a take is: its program locks a file in the take's folder for as long as it records.

The system gives the lock back when the program ends, however that happens, and keeps it while the
program is halted.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from bridge.whole_file import PRIVATE_MODE

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

LOCK: Final = ".owner"
"""The file that is locked."""


class Ownership:
    """The lock on a folder, from its making to `end`; a context too.

    BlockingIOError where another holds it, other OSErrors where the file cannot be opened. Where a
    file system knows no locks there is none, and nobody is kept away.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        self._descriptor: int | None = os.open(self._path, os.O_RDWR | os.O_CREAT, PRIVATE_MODE)
        try:
            _lock(self._descriptor)
        except BlockingIOError:
            os.close(self._descriptor)
            raise
        except OSError:
            # No locks on this file system: the age of the files has to do.
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    @property
    def is_there(self) -> bool:
        """Whether the folder still holds this lock."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except OSError:
            return False

    def end(self) -> None:
        """Remove the file and give the lock back; harmless when done twice."""
        if self._descriptor is None:
            return
        descriptor, is_ours = self._descriptor, self.is_there
        self._descriptor = None
        # Windows removes no file that is open; elsewhere one that is seen shall be locked.
        if sys.platform == "win32":
            os.close(descriptor)
        if is_ours:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
        if sys.platform != "win32":
            os.close(descriptor)


if sys.platform == "win32":
    import errno
    import msvcrt

    def _lock(descriptor: int) -> None:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                raise BlockingIOError(error.errno, error.strerror) from None
            raise

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
