"""Hands a file of a take over as the app does: its size as int32, big-endian, then its bytes."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 2**31 - 1
"""What the protocol's size can tell: three hours of sound at 48 kHz."""

PATIENCE_S = 10.0
"""How long a receiver may take to let us in, and to take the next piece."""

PIECE_BYTES = 1 << 16


def hand_over(address: tuple[str, int], path: Path, patience_s: float = PATIENCE_S) -> None:
    """Connect to an IP address and port and send a file; waits. UserError where that fails."""
    where = f"{address[0]}:{address[1]}"
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            if size > MAX_BYTES:
                what = f"has {size} bytes, more than {MAX_BYTES} can be told of"
                raise UserError(Problem(path.name, what, "copy it from the folder of the takes"))
            with socket.create_connection(address, timeout=patience_s) as receiver:
                receiver.sendall(struct.pack(">i", size))
                while piece := file.read(min(PIECE_BYTES, size)):
                    receiver.sendall(piece)
                    size -= len(piece)
    except OSError as error:
        what = f"{path.name} could not be handed over: {error.strerror or error}"
        raise UserError(Problem(where, what)) from None
