"""A frame: the board values and head pose of one face at one instant, with their rest and range."""

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
    """Return the board at rest, float32 [174], or that many rows of it, float32 [rows, 174]."""
    return _REST.copy() if rows is None else np.tile(_REST, (rows, 1))


def neutral_head() -> NDArray[np.float32]:
    """Return the head pose at rest, float32 [6]."""
    return np.zeros(len(HEAD_AXES), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Frame:
    """A face at one presentation time. Its arrays are not written to after construction."""

    time_s: float
    """Presentation time on the host clock."""
    board: NDArray[np.float32] = field(default_factory=neutral_board)
    """Board values, float32 [174] in the order of `CHANNELS`, each in its channel's range."""
    head: NDArray[np.float32] = field(default_factory=neutral_head)
    """Head pose, float32 [6] in the order of `HEAD_AXES`."""


BOARD_MINIMUM = np.array([channel.minimum for channel in CHANNELS], dtype=np.float32)
BOARD_MAXIMUM = np.array([channel.maximum for channel in CHANNELS], dtype=np.float32)


class Showing(Enum):
    """Which generated frame a tick shows."""

    LIVE = "live"
    """The frame of exactly its time."""
    HELD = "held"
    """The newest frame, because that of its time is late."""
    RESTING = "resting"
    """None: there is no input, or no new frame has come for `performer.MAX_HELD_S`."""
