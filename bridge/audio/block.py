"""The unit in which sound arrives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK_S = 0.010
"""Length of a block: short beside the hop of 20 ms, long enough for every driver."""

BLOCKS_PER_S = 100
"""The same as a whole number."""

BLOCKS_PER_HOP = 2
"""Blocks in the generator's hop of 20 ms."""


@dataclass(frozen=True, slots=True)
class Block:
    """10 ms of one channel of sound at the rate of its source.

    `samples` is float32 [frames], full scale -1..1. `captured_s` is the host time at which the
    first sample was recorded, `arrived_s` the host time at which the whole block reached us.
    """

    samples: NDArray[np.float32]
    captured_s: float
    arrived_s: float
