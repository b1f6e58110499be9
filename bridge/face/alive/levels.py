"""One number for each part of a living face."""

from __future__ import annotations

from dataclasses import dataclass, fields

MAX_LEVEL = 2.0


def limit_of(name: str) -> float:
    """Return how far a level goes."""
    return 1.0 if name == "symmetry" else MAX_LEVEL


@dataclass(frozen=True, slots=True)
class Levels:
    """How much of each part there is: 0 is off, 1 as made, 2 twice. ValueError outside 0..2.

    `gaze`, `head`, `brows` and `idle` (breath, drift, micro-saccades) scale how far things move,
    `blink` how often; `mouth` and `upper_face` scale the generated face. `symmetry`, 0..1, is how
    far both halves of the generated face go to their mean: 0 leaves them as they are.
    """

    gaze: float = 1.0
    head: float = 1.0
    blink: float = 1.0
    brows: float = 1.0
    idle: float = 1.0
    mouth: float = 1.0
    upper_face: float = 1.0
    symmetry: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value, limit = getattr(self, field.name), limit_of(field.name)
            if not 0.0 <= value <= limit:
                raise ValueError(f"{field.name} must be from 0 to {limit:g}, found {value}")

    @property
    def liveliness(self) -> float:
        """How far the face has a life of its own, 0..1: 0 where all that moves by itself is off."""
        return min(1.0, max(self.gaze, self.head, self.blink, self.brows, self.idle))


AS_GENERATED = Levels(gaze=0.0, head=0.0, blink=0.0, brows=0.0, idle=0.0)
"""The generated face and nothing else."""
