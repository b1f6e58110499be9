"""What a living face adds to the generated one in a tick, and how it is laid over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.board import CHANNELS, INDEX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

TRAVEL_DEG, TRAVEL_UP_DEG = 40.0, 30.0
"""A full deflection of the eye pads: to the sides and down, and up (Epic's rig)."""
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
_SQUINT = sides("eye_squintInner.ty")
_EYE_SIDEWAYS = sides("eye.tx")
_EYE_UPWARD = sides("eye.ty")
_BROWS = sides(*BROW_SHARES)
_BROW_SHARES = np.tile(np.array(list(BROW_SHARES.values()), dtype=np.float32), 2)


@dataclass(frozen=True, slots=True, eq=False)
class Living:
    """One tick of a living face.

    `additions` is float32 [174], to be added to the board; `closure`, 0..1, is how far a blink
    shuts what the lids left open; `head` is float32 [6] in `HEAD_AXES` order. `gaze_deg` is where
    the character looks, yaw to its left and pitch up, head and eyes together; `is_mutual` whether
    that is its partner.
    """

    additions: NDArray[np.float32]
    closure: float
    head: NDArray[np.float32]
    gaze_deg: tuple[float, float]
    is_mutual: bool

    def onto(self, board: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a board with this laid over it, float32 [174], each value in its range."""
        alive = board + self.additions
        alive[_BLINK] += self.closure * (1.0 - alive[_BLINK])
        return np.clip(alive, MINIMUM, MAXIMUM, out=alive)


def additions(
    *, eyes_deg: tuple[float, float], lids: float, closure: float, raised: float
) -> NDArray[np.float32]:
    """Return what eyes in the head, lids and brows add to the board, float32 [174].

    `eyes_deg` is yaw to the character's left and pitch up; `lids` lowers them (+) or lifts them.
    """
    yaw_deg, pitch_deg = eyes_deg
    added = np.zeros(len(CHANNELS), dtype=np.float32)
    added[_EYE_SIDEWAYS] = min(max(yaw_deg / TRAVEL_DEG, -1.0), 1.0)
    travel_deg = TRAVEL_UP_DEG if pitch_deg > 0.0 else TRAVEL_DEG
    added[_EYE_UPWARD] = min(max(pitch_deg / travel_deg, -1.0), 1.0)
    added[_BLINK] = lids
    added[_SQUINT] = BLINK_SQUINT * closure
    added[_BROWS] = raised * _BROW_SHARES
    return added
