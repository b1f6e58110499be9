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

MOUTH_GUARD = 0.45
"""Share of an emotion's mouth posture which full speech activity pushes aside, 0..1, by default."""

CONDITIONS: tuple[str, ...] = (*EMOTIONS, "mouth_guard")
"""What a face depends on besides sound and look-ahead, in the order of the network's input."""
