"""One instant of one face: board and head pose, their rest and range, and what a tick shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.board import CHANNELS

if TYPE_CHECKING:
    from numpy.typing import NDArray


HEAD_AXES = ("yaw", "pitch", "roll", "x", "y", "z")
"""Head pose: rotation in radians (yaw to the subject's left, pitch up, roll to the subject's
right shoulder), translation in centimetres."""


_REST = np.array([channel.rest for channel in CHANNELS], dtype=np.float32)


def neutral_board(rows: int | None = None) -> NDArray[np.float32]:
    """Return the board at rest, [174], or that many rows of it, [rows, 174]."""
    return _REST.copy() if rows is None else np.tile(_REST, (rows, 1))


def neutral_head() -> NDArray[np.float32]:
    """Return the head at rest, [6]."""
    return np.zeros(len(HEAD_AXES), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Frame:
    """A face at one presentation time.

    `time_s` is on the host clock; `board` is float32 [174] in board order, each value
    in its channel's range; `head` is float32 [6] in `HEAD_AXES` order. The arrays are not written
    to after construction.
    """

    time_s: float
    board: NDArray[np.float32] = field(default_factory=neutral_board)
    head: NDArray[np.float32] = field(default_factory=neutral_head)


BOARD_MINIMUM = np.array([channel.minimum for channel in CHANNELS], dtype=np.float32)
BOARD_MAXIMUM = np.array([channel.maximum for channel in CHANNELS], dtype=np.float32)


class Showing(Enum):
    """What a tick shows of the generated face."""

    LIVE = "live"
    """The face of exactly its time."""
    HELD = "held"
    """The newest face there is, because that of its time is late."""
    RESTING = "resting"
    """None: there is no input, or nothing new has come for `HOLD_S`."""
