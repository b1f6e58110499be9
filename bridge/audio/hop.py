"""The unit in which the generator listens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models import timing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HOP_RATE_HZ = timing.SAMPLE_RATE_HZ
"""Rate of every hop, whatever the source."""

HOP_S = timing.HOP_S
"""Length of a hop: the generator's step."""

HOP_SAMPLES = timing.HOP_SAMPLES
"""The same in samples."""


@dataclass(frozen=True, slots=True)
class Hop:
    """20 ms of sound, ready for the generator.

    `samples` is float32 [320] at 16 kHz, -1..1. `index` counts the hops since the start: the hop
    covers stream time `index` x 20 ms to (`index` + 1) x 20 ms. `arrived_s` is the host time at
    which the block arrived that completed it, `captured_s` the host time at which the sound of its
    first sample was recorded. `level_db` (RMS) and `peak_db` are dBFS after gain, before the gate.
    """

    samples: NDArray[np.float32]
    index: int
    arrived_s: float
    captured_s: float
    level_db: float
    peak_db: float
    gate_open: bool
