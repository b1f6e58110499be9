"""The emotions a voice can be given: the one table of names, and the range of weights."""

from __future__ import annotations

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
