"""Takes that move everything a head has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from models.board import CHANNELS
from tests.export.takes import moving_take

if TYPE_CHECKING:
    from bridge.takes.take import Take


def whole_face_take(rows: int, *, has_pose: bool = True) -> Take:
    """Return a take in which all 174 channels move, eyes included, and the head where it has."""
    random = np.random.default_rng(2)
    low = np.array([channel.minimum for channel in CHANNELS])
    high = np.array([channel.maximum for channel in CHANNELS])
    board = low + random.random((rows, len(CHANNELS))) * (high - low)
    head = random.uniform(-0.3, 0.3, (rows, 6)) * has_pose
    return replace(
        moving_take(rows),
        channels=tuple(channel.name for channel in CHANNELS),
        board=board.astype(np.float32),
        head=head.astype(np.float32),
    )
