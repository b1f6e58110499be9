"""One number for each part of a living face."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from bridge.document import FieldError

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

    `gaze`, `head`, `brows` and `idle` (breath, drift, micro-saccades, and the swell of what is
    held) scale how far things move, `blink` how often; `mouth` and `upper_face` scale the generated
    face. `symmetry`, 0..1, is how far both halves of the generated face go to their mean: 0 leaves
    them as they are.
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


PARTS = tuple(field.name for field in fields(Levels))
"""Names of the levels, in their order."""


def read_levels(text: str) -> dict[str, str]:
    """Read `gaze:0.5, head:0`, as on the command line; FieldError for what is no such list.

    Names and numbers are checked where they become `Levels`; what is not named stays as made.
    """
    levels: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, colon, level = (piece.strip() for piece in part.partition(":"))
        if not colon or name not in PARTS or name in levels:
            fault = f"{name} stands twice" if name in levels else f"{part!r} is no level"
            raise FieldError(fault, f"write NAME:LEVEL, with {', '.join(PARTS)}")
        levels[name] = level
    return levels


AS_MADE = Levels()
"""A face that lives as people do."""
AS_GENERATED = Levels(gaze=0.0, head=0.0, blink=0.0, brows=0.0, idle=0.0)
"""The generated face and nothing else."""
