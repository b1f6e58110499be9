"""Living faces of whole recordings, for a judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.face.alive.cues import Cues
from bridge.face.alive.life import Life, prepared
from bridge.face.alive.living import NUMBERS, lay
from bridge.face.alive.prosody import ProsodyTracker
from bridge.frame import neutral_board
from models.board import AUDIO_DRIVEN, INDEX
from models.evaluation.joint.performance import Performance
from models.timing import HOP_S, HOP_SAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COLUMNS = np.array([INDEX[name] for name in AUDIO_DRIVEN])


def perform(
    sound: NDArray[np.float32],
    emotions: NDArray[np.float32],
    face: NDArray[np.float32],
    seed: int,
) -> Performance:
    """Return the living face of a recording (`models.evaluation.joint.performance.Living`)."""
    rows = len(face)
    heard = np.zeros(rows * HOP_SAMPLES, dtype=np.float32)
    heard[: len(sound)] = sound[: len(heard)]
    tracker, life = ProsodyTracker(), Life(seed)
    numbers = np.zeros((rows, NUMBERS), dtype=np.float32)
    head = np.zeros((rows, 6), dtype=np.float32)
    gaze_deg = np.zeros((rows, 2), dtype=np.float32)
    for row, prosody in enumerate(tracker.hear(heard)):
        living = life.step(row * HOP_S, Cues(prosody, emotions[row]))
        numbers[row], head[row], gaze_deg[row] = living.numbers, living.head, living.gaze_deg
    board = neutral_board(rows)
    board[:, _COLUMNS] = face
    return Performance(lay(prepared(board, life.eased_levels), numbers), head, gaze_deg)
