"""The emotions a voice can be given: the one table of names, and the range of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

EMOTIONS: tuple[str, ...] = (
    "neutral",
    "happy",
    "sad",
    "angry",
    "surprised",
    "fearful",
    "disgusted",
)
"""In the order of the generator's emotion vector."""

MAX_WEIGHT = 1.5
"""Weight of an emotion at most; 1 is the strength of the recordings it was learnt from."""


def emotion_faults(emotion: Mapping[str, float]) -> list[str]:
    """Return one sentence for each name that is unknown and each weight out of 0..`MAX_WEIGHT`."""
    faults = []
    for name, weight in emotion.items():
        if name not in EMOTIONS:
            faults.append(f"there is no emotion {name!r}, there are {', '.join(EMOTIONS)}")
        if not 0.0 <= weight <= MAX_WEIGHT:
            faults.append(f"the weight of {name} is {weight:g}, not from 0 to {MAX_WEIGHT:g}")
    return faults
