"""Sizes of the network that hears moods, from which every form of it is built."""

from __future__ import annotations

from dataclasses import dataclass

from models.architecture import KERNEL
from models.emotions import EMOTIONS
from models.mel import BANDS
from models.mood.features import MOTIONS, TRAITS

INPUTS = BANDS + TRAITS + MOTIONS
"""Numbers that it hears a hop by; `models.mood.usual.inputs_of` has their order."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes that a weights file must name to be rebuilt."""

    width: int = 48
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16)

    @property
    def past_hops(self) -> int:
        """Hops before its own that an output hears."""
        return KERNEL - 1 + sum(self.reaches)

    @property
    def reaches(self) -> list[int]:
        """Hops before its own that each block hears of its inputs."""
        return [(KERNEL - 1) * dilation for dilation in self.dilations]

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor of the network, by its name in a weights file."""
        width = self.width
        shapes: dict[str, tuple[int, ...]] = {
            "average": (TRAITS,),
            "stem.conv.weight": (width, INPUTS, KERNEL),
            "stem.conv.bias": (width,),
            "head.weight": (len(EMOTIONS), width, 1),
            "head.bias": (len(EMOTIONS),),
        }
        for number in range(len(self.dilations)):
            block = f"blocks.{number}"
            shapes[f"{block}.gain"] = (width, 1)
            shapes[f"{block}.conv.conv.weight"] = (width, width, KERNEL)
            shapes[f"{block}.conv.conv.bias"] = (width,)
            shapes[f"{block}.mix.weight"] = (width, width, 1)
            shapes[f"{block}.mix.bias"] = (width,)
        return shapes
