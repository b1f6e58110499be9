"""What computes a generator: ONNX Runtime on a CPU, or torch. All give the same numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.face_network import Sizes
    from models.passes import Passes
    from models.streams import Stream

    Floats = NDArray[np.float32]
    Delays = NDArray[np.int64]

Past = TypeVar("Past")
"""What a network keeps of the hops before; its own affair."""


class CachedNetwork(Protocol, Generic[Past]):
    """A generator network that advances by any number of hops and hands out its past."""

    conditions: int
    """Length of a condition vector: the emotion weights and, where it knows one, the guard."""

    def silent_past(self, conditions: Floats, delay_hops: Delays) -> Past:
        """Return what endless digital silence leaves behind.

        `conditions` is float32 [voices, conditions], `delay_hops` [voices].
        """

    def advance(
        self, samples: Floats, conditions: Floats, delay_hops: Delays, past: Past
    ) -> tuple[Floats, Past]:
        """Return the face after each hop, float32 [voices, hops, channels], and the new past.

        `samples` is float32 [voices, hops * HOP_SAMPLES], finite; `conditions` [voices, hops,
        conditions]. What follows a hop is the face of the time at which it ends, less the delay;
        each value is within its channel's range.
        """

    def chosen(self, past: Past, voices: Sequence[int]) -> Past:
        """Return the past of some voices."""

    def put(self, past: Past, voices: Sequence[int], new: Past) -> None:
        """Write the past of some voices into that of all."""


class Engine(ABC):
    """A generator's network on a device."""

    device: str
    """`cpu` or `cuda`."""
    name: str
    """The library and its version."""
    notice: str = ""
    """What the user has to know of it, as a sentence; empty as a rule."""
    architecture: Sizes
    pass_rows: int
    """Rows of one pass, of all recordings of a batch together: what it works on stays in a
    processor's cache, or fills a GPU."""

    @abstractmethod
    def passes(self, conditions: Floats, delay_hops: int) -> Passes[Any]:
        """Return what takes recordings piece by piece; `conditions` as in `faces`.

        WeightsError for a network that cannot stream.
        """

    @abstractmethod
    def stream(self, voices: int) -> Stream:
        """Return a stream of so many voices; WeightsError for a network that cannot."""

    def faces(self, sound: Floats, conditions: Floats, delay_hops: int) -> Floats:
        """Return the faces of recordings of equal length, float32 [batch, rows, channels].

        `sound` is [batch, rows * HOP_SAMPLES] at 16 kHz, `conditions` [batch, rows, conditions];
        before and after a recording there is silence.
        """
        passes = self.passes(conditions, delay_hops)
        return np.concatenate([*passes.hear(sound), *passes.finish()], axis=1)
