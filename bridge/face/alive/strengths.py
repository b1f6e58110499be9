"""How strong the generated face is: mouth, upper face, and how alike its halves are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.face.alive.living import MAXIMUM, MINIMUM
from models.board import CHANNELS, INDEX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bridge.face.alive.levels import Levels

MOUTH_REGIONS = frozenset({"mouth", "jaw", "chin", "tongue", "teeth"})
UPPER_REGIONS = frozenset({"brow", "eyelid", "cheek", "nose"})

_MOUTH = np.array([channel.region in MOUTH_REGIONS for channel in CHANNELS])
_UPPER = np.array([channel.region in UPPER_REGIONS for channel in CHANNELS])
_MIRROR = np.array([INDEX[channel.mirror] for channel in CHANNELS], dtype=np.intp)
_MIRROR_SIGN = np.array([channel.mirror_sign for channel in CHANNELS], dtype=np.float32)


def strengthen(board: NDArray[np.float32], levels: Levels) -> NDArray[np.float32]:
    """Return generated boards at these levels, float32 [..., 174], each value in its range.

    Levels as they are made return the board itself.
    """
    if levels.mouth == 1.0 and levels.upper_face == 1.0 and levels.symmetry == 0.0:
        return board
    scaled = board.copy()
    if levels.symmetry > 0.0:
        mirrored = _MIRROR_SIGN * board[..., _MIRROR]
        scaled += np.float32(0.5 * levels.symmetry) * (mirrored - board)
    scaled[..., _MOUTH] *= np.float32(levels.mouth)
    scaled[..., _UPPER] *= np.float32(levels.upper_face)
    return np.clip(scaled, MINIMUM, MAXIMUM, out=scaled)
