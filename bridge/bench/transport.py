"""Takes the files of takes as a controller does: their size, then their bytes."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

PATIENCE_S = 5.0

BEGINNING = b"Timecode,BlendshapeCount,"
"""Of the curves of a take."""


class Courier:
    """A place to which files are brought, as a context."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    @property
    def place(self) -> str:
        """Host and port, as `/Transport` names them."""
        return f"127.0.0.1:{self._listening.getsockname()[1]}"

    def fault(self) -> str | None:
        """Take one file; say what is wrong with it, None where it is whole and one of curves."""
        try:
            bringing, _ = self._listening.accept()
            with bringing:
                bringing.settimeout(PATIENCE_S)
                brought = b"".join(iter(lambda: bringing.recv(1 << 16), b""))
        except TimeoutError:
            return "nothing comes"
        (size,) = struct.unpack(">i", brought[:4])
        if len(brought) - 4 != size:
            return f"{len(brought) - 4} bytes, announced as {size}"
        return None if brought[4:].startswith(BEGINNING) else "these are no curves"
