"""Files that grow, and are never seen without their head."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from bridge.whole_file import whole_file

if TYPE_CHECKING:
    from pathlib import Path


def begun(path: Path, head: bytes) -> io.FileIO:
    """Return a new file, open at its end, that held `head` when it appeared.

    UserError where it is there already or cannot be written.
    """
    with whole_file(path) as file:
        file.write(head)
    growing = io.FileIO(path, "r+")
    growing.seek(0, os.SEEK_END)
    return growing


def write_all(file: io.FileIO, data: bytes) -> None:
    """Write all of it, past Python's buffers. Raises OSError, and then some of it may be there."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
