"""How loud it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLOOR_DB = -100.0
"""Level of digital silence, and the least ever shown: below 16 bits there is nothing to hear."""


def decibels(amplitude: float) -> float:
    """Return dBFS of an amplitude with full scale 1, at least `FLOOR_DB`."""
    return max(FLOOR_DB, 20.0 * float(np.log10(amplitude))) if amplitude > 0.0 else FLOOR_DB


def amplitude(db: float) -> float:
    """Return the amplitude of a level in dB."""
    return float(10.0 ** (db / 20.0))


def rms_db(samples: NDArray[np.float32]) -> float:
    """Return the root-mean-square level in dBFS; a full-scale square wave has 0, a sine -3."""
    if not len(samples):
        return FLOOR_DB
    return decibels(float(np.sqrt(np.dot(samples, samples) / len(samples))))


def peak_db(samples: NDArray[np.float32]) -> float:
    """Return the level of the largest sample in dBFS."""
    return decibels(float(np.abs(samples).max())) if len(samples) else FLOOR_DB
