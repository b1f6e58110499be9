"""How strong the generated face is: mouth, upper face, and how alike its halves are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.face.alive.living import MAXIMUM, MINIMUM
from bridge.face.alive.regions import MOUTH, UPPER
from models.board import CHANNELS, INDEX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bridge.face.alive.levels import Levels

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
    scaled[..., MOUTH] *= np.float32(levels.mouth)
    scaled[..., UPPER] *= np.float32(levels.upper_face)
    return np.clip(scaled, MINIMUM, MAXIMUM, out=scaled)
