"""A file that grows while a take is recorded, and is readable however the program ends."""

from __future__ import annotations

import io
import os
import shutil
from typing import TYPE_CHECKING

from cstalk_bridge.system.files import atomic_write

if TYPE_CHECKING:
    from pathlib import Path


class GrowingFile:
    """A new file that held `head` when it appeared, and grows past Python's buffers.

    UserError where it already exists or cannot be written, OSError where it cannot be opened.
    """

    def __init__(self, path: Path, head: bytes) -> None:
        self.path = path
        self._size = len(head)
        """Bytes that are whole: without half of what was being written."""
        with atomic_write(path, is_private=True) as file:
            file.write(head)
        self._file = _open_at_end(path)

    @property
    def is_there(self) -> bool:
        """Whether it still lies where it was made, and was neither removed nor replaced."""
        if self._file.closed:
            return True
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self.path.stat())
        except OSError:
            return False

    def rescue(self, path: Path) -> None:
        """Go on in a copy at `path`, whatever became of the file's own name.

        UserError where there is a file already or it cannot be written; OSError where the open file
        cannot be read.
        """
        self._file.seek(0)
        with atomic_write(path, is_private=True) as copy:
            shutil.copyfileobj(self._file, copy)
        self._file.close()
        self._file, self.path = _open_at_end(path), path

    def close(self) -> None:
        """Put what is whole safely on disk, and close the file in any case. Raises OSError."""
        if self._file.closed:
            return
        with self._file:
            self._file.truncate(self._size)
            self._pad()
            os.fsync(self._file.fileno())

    def _pad(self) -> None:
        """Write what the end of a whole file needs."""

    def _write(self, data: bytes) -> None:
        """Write all of it. Raises OSError, and then some of it may be there."""
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]


def _open_at_end(path: Path) -> io.FileIO:
    growing = io.FileIO(path, "r+")
    growing.seek(0, os.SEEK_END)
    return growing
