"""What a voice seems to feel, and what becomes of a chosen mix with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.emotions import MAX_WEIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Shares:
    """How far a voice has a say: its mood, by `auto`, and its arousal; 0 is not at all."""

    auto: float = 0.0
    arousal: float = 0.0

    @property
    def are_any(self) -> bool:
        """Whether there is anything to hear."""
        return self.auto > 0.0 or self.arousal > 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Felt:
    """What a voice seems to feel: a mood, float32 [emotions], 0..1, and arousal, -1..1."""

    mood: NDArray[np.float32]
    arousal: float

    def within(self, chosen: NDArray[np.float32], shares: Shares) -> NDArray[np.float32]:
        """Return a chosen mix, float32 [emotions], with what is felt, as far as `shares` say.

        The chosen weights swell with arousal, `MAX_WEIGHT` at most; the mood fills what they leave
        of 1. The neutral that somebody chose leaves no room either.
        """
        swelled = np.clip(chosen * (1.0 + shares.arousal * self.arousal), 0.0, MAX_WEIGHT)
        left = max(0.0, 1.0 - float(chosen.sum()))
        return np.asarray(swelled + shares.auto * left * self.mood, dtype=np.float32)
