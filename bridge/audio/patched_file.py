"""A file of the user seen through corrections of its header; nothing is written."""

from __future__ import annotations

import io
import os
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class PatchedFile(io.RawIOBase):
    """The bytes of the file at `path` from `begin` on, behind `prefix`.

    `patches` replace bytes at offsets of the file. Raises OSError where it cannot be opened.
    """

    def __init__(
        self, path: Path, patches: Mapping[int, bytes], *, prefix: bytes = b"", begin: int = 0
    ) -> None:
        self._file = path.open("rb")
        weakref.finalize(self, self._file.close)
        self._prefix, self._begin = len(prefix), begin
        self._shift = len(prefix) - begin
        self._size = self._file.seek(0, os.SEEK_END) + self._shift
        moved = {offset + self._shift: new for offset, new in patches.items()}
        self._patches = {0: prefix, **moved} if prefix else moved
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position, clamped to the size, and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = min(max(base + offset, 0), self._size)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read the next bytes, at most as many as the buffer takes."""
        count = min(len(buffer), self._size - self._position)
        blank = min(count, max(0, self._prefix - self._position))
        self._file.seek(max(self._position - self._shift, self._begin))
        data = bytearray(blank) + self._file.read(count - blank)
        for offset, new in self._patches.items():
            first = max(offset, self._position)
            last = min(offset + len(new), self._position + len(data))
            if first < last:
                data[first - self._position : last - self._position] = new[
                    first - offset : last - offset
                ]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
