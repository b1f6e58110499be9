"""Emotions of a face: the only table of their names, and the range of their weights.

A network's condition vector is the emotion weights and, where it knows one, the mouth guard.
NumPy is imported where it is needed: the command line reads names and ranges at every start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


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

EMOTION_CLASSES = EMOTIONS[:5]
"""The classes that emotion classifiers distinguish in evaluation."""

MAX_WEIGHT = 1.5
"""The largest weight of an emotion; 1 is the strength of the recordings it was trained on."""

MOUTH_GUARD = 0.45
"""Default of the mouth guard: the share of an emotion's mouth posture that full speech activity
suppresses, 0..1 (viseme priority)."""

CONDITIONS: tuple[str, ...] = (*EMOTIONS, "mouth_guard")
"""Inputs of a network besides sound and look-ahead, in their order."""


GUARD_TOLERANCE = 1e-6
"""Difference from the default that still counts as the default: above float32 rounding."""


def knows_guard(columns: int) -> bool:
    """Return whether a network with this number of conditions has a mouth guard."""
    return columns == len(CONDITIONS)


def checked_guard(mouth_guard: ArrayLike, columns: int) -> NDArray[np.float64]:
    """Return mouth guards that a network with this number of conditions supports.

    ValueError outside 0..1 and, where the network has no mouth guard, for any but the default.
    """
    import numpy as np

    guards = np.asarray(mouth_guard, dtype=np.float64)
    if not ((guards >= 0.0) & (guards <= 1.0)).all():
        raise ValueError(f"mouth guard {_listed(guards)}: must be from 0 to 1")
    if not knows_guard(columns) and (np.abs(guards - MOUTH_GUARD) > GUARD_TOLERANCE).any():
        raise ValueError(
            f"mouth guard {_listed(guards)}: these weights were trained without one;"
            f" leave it at {MOUTH_GUARD:g}, or use weights with a mouth guard"
        )
    return guards


def conditions(
    emotions: NDArray[np.float32], mouth_guard: ArrayLike, columns: int
) -> NDArray[np.float32]:
    """Return the conditions of a network with this number of columns, float32 [..., columns].

    `emotions` is [..., emotions]; `mouth_guard` is one number, or [its first axis].
    ValueError as `checked_guard`.
    """
    import numpy as np

    guards = checked_guard(mouth_guard, columns)
    if not knows_guard(columns):
        return emotions
    aligned = guards.reshape(guards.shape + (1,) * (emotions.ndim - guards.ndim))
    column = np.broadcast_to(aligned, (*emotions.shape[:-1], 1))
    return np.concatenate((emotions, column), axis=-1, dtype=np.float32)


def is_known_condition_size(columns: int) -> bool:
    """Return whether this version supports a network with this number of conditions."""
    return columns in (len(EMOTIONS), len(CONDITIONS))


def _listed(guards: NDArray[np.float64]) -> str:
    return ", ".join(f"{guard:g}" for guard in sorted(set(guards.flat)))
