"""One number for each part of a living face."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

MAX_LEVEL = 2.0
MAX_SYMMETRY = 1.0

Level = Annotated[float, Field(ge=0.0, le=MAX_LEVEL, allow_inf_nan=False)]
Symmetry = Annotated[float, Field(ge=0.0, le=MAX_SYMMETRY, allow_inf_nan=False)]


def limit_of(name: str) -> float:
    """Return how far a level goes."""
    return MAX_SYMMETRY if name == "symmetry" else MAX_LEVEL


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Levels:
    """How much of each part there is: 0 is off, 1 as made, 2 twice. ValueError outside 0..2.

    `gaze`, `head`, `brows` and `idle` (breath, drift, micro-saccades) scale how far things move,
    `blink` how often; `mouth` and `upper_face` scale the generated face. `symmetry`, 0..1, is how
    far both halves of the generated face go to their mean: 0 leaves them as they are.
    """

    gaze: Level = 1.0
    head: Level = 1.0
    blink: Level = 1.0
    brows: Level = 1.0
    idle: Level = 1.0
    mouth: Level = 1.0
    upper_face: Level = 1.0
    symmetry: Symmetry = 0.0

    @property
    def liveliness(self) -> float:
        """How far the face has a life of its own, 0..1: 0 where all that moves by itself is off."""
        return min(1.0, max(self.gaze, self.head, self.blink, self.brows, self.idle))


AS_MADE = Levels()
"""A face that lives as people do."""
AS_GENERATED = Levels(gaze=0.0, head=0.0, blink=0.0, brows=0.0, idle=0.0)
"""The generated face and nothing else."""
