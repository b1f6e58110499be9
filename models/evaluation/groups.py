"""What the measures look at: groups of the 81 channels, and curves made of several of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.board import AUDIO_DRIVEN
from models.regions import COLUMNS

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOUTH: tuple[int, ...] = tuple(
    i for region in ("mouth_upper", "mouth_lower", "jaw_chin") for i in COLUMNS[region]
)
"""Columns of the mouth as LVE sees it: lips, jaw and chin, without the tongue."""
UPPER: tuple[int, ...] = tuple(i for region in ("brow", "eyelid_cheek") for i in COLUMNS[region])
"""Columns of the upper face as EVE and FDD see it: brows, eyelids and cheeks."""

JAW = AUDIO_DRIVEN.index("CTRL_C_jaw.ty")


def columns_of(slider: str) -> list[int]:
    """Return the columns whose slider (`mouth_purse`) or its halves (`U`, `D`) on either side."""
    found = [i for i, name in enumerate(AUDIO_DRIVEN) if name.split("_", 2)[2].startswith(slider)]
    if not found:
        raise ValueError(f"no audio-driven channel begins with {slider}")
    return found


_TOGETHER, _PURSE = columns_of("mouth_lipsTogether"), columns_of("mouth_purse")
_RAISE, _DEPRESS = columns_of("mouth_upperLipRaise"), columns_of("mouth_lowerLipDepress")


def jaw(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far the jaw is open, [rows], 0..1, of a face [rows, 81]."""
    return np.asarray(face[:, JAW], dtype=np.float32)


def together(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far the lips are held together, [rows], 0..1: mean of the four lip channels."""
    return np.asarray(face[:, _TOGETHER].mean(1), dtype=np.float32)


def opening(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far the mouth is open, [rows], 0..1: the jaw as far as lips do not bridge it."""
    return np.asarray(jaw(face) * np.clip(1.0 - together(face), 0.0, 1.0), dtype=np.float32)


def mouth_close(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ARKit's `mouthClose`, [rows]: what of an open jaw the lips bridge.

    The inverse of the relation by which Epic's rig takes that curve: lips together = mouthClose /
    jawOpen.
    """
    return np.asarray(jaw(face) * np.clip(together(face), 0.0, 1.0), dtype=np.float32)


def parting(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far lips are drawn apart, [rows], 0..1: mean of upper raised, lower depressed."""
    return np.asarray(face[:, _RAISE + _DEPRESS].mean(1), dtype=np.float32)


def pucker(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far the lips are pursed, [rows], 0..1: mean of the four purse channels."""
    return np.asarray(face[:, _PURSE].mean(1), dtype=np.float32)
