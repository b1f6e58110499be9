"""What a living face adds to the generated one, and how it is laid over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bridge.face.alive.regions import UPPER
from models.board import CHANNELS, INDEX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

TRAVEL_DEG, TRAVEL_UP_DEG = 40.0, 30.0
"""A full deflection of the eye pads: to the sides and down, and up (Epic's rig)."""
LID_PER_DEG = 0.016
"""How far the upper lids go with the eyes: 0.9 for a radian, the median of phone takes."""
LID_RAISE_LIMIT, LID_LOWER_LIMIT = -0.12, 0.45
BROW_SHARES = {"brow_raiseIn.ty": 0.7, "brow_raiseOut.ty": 1.0}
BLINK_SQUINT = 0.08
"""How far a shut lid pulls the inner corner along."""


def sides(*names: str) -> NDArray[np.intp]:
    """Return the board positions of channels of both sides, left ones first."""
    return indices(f"CTRL_{side}_{name}" for side in "LR" for name in names)


def indices(names: Iterable[str]) -> NDArray[np.intp]:
    """Return the board positions of channels by their full names."""
    return np.array([INDEX[name] for name in names], dtype=np.intp)


MINIMUM = np.array([channel.minimum for channel in CHANNELS], dtype=np.float32)
MAXIMUM = np.array([channel.maximum for channel in CHANNELS], dtype=np.float32)

_BLINK = sides("eye_blink.ty")
NUMBERS = 5
"""How many numbers a living face is laid over by."""

_NONE, _ALL = np.float32(0.0), np.float32(1.0)
_HIGHEST_LID, _LOWEST_LID = np.float32(LID_RAISE_LIMIT), np.float32(LID_LOWER_LIMIT)


@dataclass(frozen=True, slots=True, eq=False)
class Living:
    """One tick of a living face.

    `eyes_deg` is where the eyes stand in the head, yaw to the character's left and pitch up;
    `closure`, 0..1, is how far a blink shuts what the lids left open; `raised` how far an accent
    lifts the brows; `swell` by which share the upper face is stronger or, below 0, weaker; `head`
    is float32 [6] in `HEAD_AXES` order. `gaze_deg` is where the character looks, head and eyes
    together; `is_mutual` whether that is its partner.
    """

    eyes_deg: tuple[float, float]
    closure: float
    raised: float
    swell: float
    head: NDArray[np.float32]
    gaze_deg: tuple[float, float]
    is_mutual: bool

    @property
    def numbers(self) -> tuple[float, ...]:
        """What is laid over a board, as `lay` takes it."""
        return (*self.eyes_deg, self.closure, self.raised, self.swell)

    def onto(self, board: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a board with this laid over it, float32 [174], each value in its range."""
        return lay(board, np.array(self.numbers, dtype=np.float32))


def lay(board: NDArray[np.float32], numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return boards, float32 [..., 174], with life laid over them, each value in its range.

    `numbers` is float32 [..., 5]: yaw and pitch of the eyes, closure, how far brows are raised, and
    the swell, as told at `Living`.
    """
    pitch_deg, closure = numbers[..., 1:2], numbers[..., 2:3]
    lids = np.clip(np.float32(-LID_PER_DEG) * pitch_deg, _HIGHEST_LID, _LOWEST_LID)
    halves = np.maximum(pitch_deg, _NONE), np.minimum(pitch_deg, _NONE)
    held = board * (_ALL + numbers[..., 4:] * _SWELLING)
    alive = held + np.concatenate((numbers[..., :4], *halves, lids), axis=-1) @ _ADDED
    open_ = alive[..., _BLINK]
    alive[..., _BLINK] = open_ + closure * (_ALL - open_)
    return np.minimum(np.maximum(alive, MINIMUM, out=alive), MAXIMUM, out=alive)


def turned_deg(board: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return where the eyes of boards, [..., 174], stand in the head: [..., 2], yaw and pitch."""
    yaw, pitch = (board[..., sides(f"eye.{axis}")].mean(axis=-1) for axis in ("tx", "ty"))
    up_deg, down_deg = np.float32(TRAVEL_UP_DEG), np.float32(TRAVEL_DEG)
    return np.stack((yaw * down_deg, pitch * np.where(pitch > 0.0, up_deg, down_deg)), axis=-1)


def _added() -> NDArray[np.float32]:
    """Return what each number adds to the board, [numbers, 174]; halves and lids stand last."""
    added = np.zeros((7, len(CHANNELS)), dtype=np.float32)
    added[0, sides("eye.tx")] = 1.0 / TRAVEL_DEG
    added[2, sides("eye_squintInner.ty")] = BLINK_SQUINT
    for name, share in BROW_SHARES.items():
        added[3, sides(name)] = share
    added[4, sides("eye.ty")] = 1.0 / TRAVEL_UP_DEG
    added[5, sides("eye.ty")] = 1.0 / TRAVEL_DEG
    added[6, _BLINK] = 1.0
    return added


_ADDED = _added()


def _swelling() -> NDArray[np.float32]:
    """Return 1 for each channel that swells, [174]: the upper face, but lids go with the eyes."""
    swelling = UPPER.astype(np.float32)
    swelling[_BLINK] = 0.0
    return swelling


_SWELLING = _swelling()

ADDED = tuple(channel.name for channel in CHANNELS if _ADDED[:, channel.index].any())
"""The channels to which life adds."""
