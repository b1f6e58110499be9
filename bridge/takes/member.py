"""A stored member of a zip as a file of its own, which can be read anywhere at once."""

from __future__ import annotations

import io
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import zipfile
    from pathlib import Path

_LOCAL_HEADER = struct.Struct("<26xHH")
"""Ends with the lengths of name and extra field, after which the data begin (APPNOTE 4.3.7)."""


class StoredMember(io.RawIOBase):
    """The bytes of a stored member of the zip at `path`; `zipfile` itself seeks by reading.

    ValueError where the zip ends before the member does.
    """

    def __init__(self, path: Path, info: zipfile.ZipInfo) -> None:
        self._file = path.open("rb")
        self._file.seek(info.header_offset)
        head = self._file.read(_LOCAL_HEADER.size)
        self._size = info.file_size
        self._begin = 0
        if len(head) == _LOCAL_HEADER.size:
            name_length, extra_length = _LOCAL_HEADER.unpack(head)
            self._begin = info.header_offset + len(head) + name_length + extra_length
            if self._begin + self._size <= self._file.seek(0, os.SEEK_END):
                self.seek(0)
                return
        self.close()
        raise ValueError(f"{info.filename} is cut off")

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the place within the member."""
        return self._file.tell() - self._begin

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, held within the member, and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self._size}[whence]
        place = min(max(base + offset, 0), self._size)
        self._file.seek(self._begin + place)
        return place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read the next bytes of the member, at most as many as the buffer takes."""
        wanted = min(len(buffer), self._size - self.tell())
        data = self._file.read(wanted)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the zip."""
        self._file.close()
        super().close()
