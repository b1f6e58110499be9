"""The emotions a face can be asked for: the one table of names, and the range of weights.

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

MAX_WEIGHT = 1.5
"""Weight of an emotion at most; 1 is the strength of the recordings it was learnt from."""

MOUTH_GUARD = 0.45
"""Share of an emotion's mouth posture which full speech activity pushes aside, 0..1, by default."""

CONDITIONS: tuple[str, ...] = (*EMOTIONS, "mouth_guard")
"""What a face depends on besides sound and look-ahead, in the order of the network's input."""


GUARD_TOLERANCE = 1e-6
"""How far a guard may be off the default and still be it: more than float32 rounds."""


def knows_guard(columns: int) -> bool:
    """Whether a network that takes so many conditions knows a mouth guard."""
    return columns == len(CONDITIONS)


def checked_guard(mouth_guard: ArrayLike, columns: int) -> NDArray[np.float64]:
    """Return mouth guards that a network of so many conditions can heed.

    ValueError for one outside of 0..1 and, where the network knows none, for any but the default.
    """
    import numpy as np

    guards = np.asarray(mouth_guard, dtype=np.float64)
    if not ((guards >= 0.0) & (guards <= 1.0)).all():
        raise ValueError(f"mouth guard {_listed(guards)}: it goes from 0 to 1")
    if not knows_guard(columns) and (np.abs(guards - MOUTH_GUARD) > GUARD_TOLERANCE).any():
        raise ValueError(
            f"mouth guard {_listed(guards)}: these weights were trained without one;"
            f" leave it at {MOUTH_GUARD:g}, or use weights that know it"
        )
    return guards


def conditions(
    emotions: NDArray[np.float32], mouth_guard: ArrayLike, columns: int
) -> NDArray[np.float32]:
    """Return the conditions of a network that takes so many columns, float32 [..., columns].

    `emotions` is [..., emotions]; `mouth_guard` one number, or one for each of its first axis.
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
    """Whether this version has conditions for a network that takes so many."""
    return columns in (len(EMOTIONS), len(CONDITIONS))


def _listed(guards: NDArray[np.float64]) -> str:
    return ", ".join(f"{guard:g}" for guard in sorted(set(guards.flat)))
