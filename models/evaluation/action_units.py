"""Faces as action units of FACS (Ekman and Friesen), as a judge of tracked people sees them.

The table is the one by which measured units become sliders (`models.training.action_units`), read
backwards. Units are on OpenFace's scale: 0 absent, 5 the strongest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.training.action_units import FULL_INTENSITY, GAINS

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNITS: tuple[str, ...] = tuple(GAINS)
"""The units' names, as OpenFace's columns without `_r`."""

_EVERY = np.stack(list(GAINS.values()), 1)
_TOTAL = np.abs(_EVERY).sum(1, keepdims=True)
_SHOWN = np.divide(np.sign(_EVERY), _TOTAL, out=np.zeros_like(_EVERY), where=_TOTAL > 0)
_SHOWN /= np.maximum((_EVERY != 0).sum(0), 1)


def units_of(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the units that a face [rows, 81] shows, [rows, units], 0..5.

    A unit is as strong as its sliders say, in the mean, each over what all units at full strength
    add to it.
    """
    return np.asarray(np.clip(face @ _SHOWN, 0.0, 1.0) * FULL_INTENSITY, dtype=np.float32)
