"""Files that grow, are never seen without their head, and are private to the user."""

from __future__ import annotations

import io
import os
import shutil
from typing import TYPE_CHECKING

from bridge.whole_file import whole_file

if TYPE_CHECKING:
    from pathlib import Path


def begun(path: Path, head: bytes) -> io.FileIO:
    """Return a new file, open at its end, that held `head` when it appeared.

    UserError where it is there already or cannot be written, OSError where it cannot be opened.
    """
    with whole_file(path, is_private=True) as file:
        file.write(head)
    return _opened(path)


def write_all(file: io.FileIO, data: bytes) -> None:
    """Write all of it, past Python's buffers. Raises OSError, and then some of it may be there."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def is_at(file: io.FileIO, path: Path) -> bool:
    """Whether an open file still lies at `path`, and was neither removed nor replaced."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def rescued(file: io.FileIO, path: Path) -> io.FileIO:
    """Return a copy at `path` of an open file whose own name may be gone, open at its end.

    UserError where there is a file already or it cannot be written; OSError where the open file
    cannot be read.
    """
    file.seek(0)
    with whole_file(path, is_private=True) as copy:
        shutil.copyfileobj(file, copy)
    return _opened(path)


def _opened(path: Path) -> io.FileIO:
    growing = io.FileIO(path, "r+")
    growing.seek(0, os.SEEK_END)
    return growing
