"""The generator hop by hop, for several voices in one batch. Free of torch.

`CachedStream` keeps what each layer still needs of the past; `models.torch_engine.WindowStream`
keeps the sound and runs the whole window each time (one graph launch on a GPU). Both equal the
offline pass within 1e-4 while emotion and look-ahead stay as they are; after a change the window
answers at once with the new ones, the caches within one window.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic

import numpy as np

from models.conditions import conditions
from models.emotions import MOUTH_GUARD
from models.engine import Past
from models.timing import HOP_MS, HOP_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from models.engine import CachedNetwork, Delays, Floats


class Stream(ABC):
    """Several voices, each with its own past, of a size that does not grow.

    `conditions` is the length of the network's condition vector.
    """

    def __init__(self, conditions: int) -> None:
        self._conditions = conditions

    def step(
        self,
        samples: NDArray[np.float32],
        emotion: NDArray[np.float32],
        lookahead_ms: NDArray[np.float32],
        voices: Sequence[int],
        mouth_guard: ArrayLike = MOUTH_GUARD,
    ) -> NDArray[np.float32]:
        """Take the next hops of some voices and return their faces, float32 [voices, n, channels].

        `samples` is [voices, hops * 320] at 16 kHz, one hop or more, of which what is not finite
        counts as silence, `emotion` weights [voices, emotions], `lookahead_ms` [voices] in 0..240,
        rounded to whole hops, `mouth_guard` one for all or [voices], 0..1 (ValueError as
        `models.conditions` says). The n rows are those after the last n hops; after a voice was
        taken up to stream time T, its row is its face of T - look-ahead. A `CachedStream` makes one
        for each hop, a window the newest alone.
        """
        # One NaN would stay in the past for ever.
        is_finite = np.isfinite(samples)
        finite = samples if is_finite.all() else np.where(is_finite, samples, np.float32(0.0))
        delays = np.rint(np.asarray(lookahead_ms) / HOP_MS).astype(np.int64)
        told = conditions(emotion, mouth_guard, self._conditions)
        return self._advance(finite, told, delays, list(voices))

    @abstractmethod
    def reset(self, voices: Sequence[int]) -> None:
        """Forget the past of some voices: they have been silent for ever."""

    @abstractmethod
    def _advance(
        self, samples: Floats, conditions: Floats, delay_hops: Delays, voices: list[int]
    ) -> Floats:
        """Return the faces of `voices` after their next hops; arguments as in `CachedNetwork`."""


class CachedStream(Stream, Generic[Past]):
    """A stream that keeps each layer's past."""

    def __init__(self, network: CachedNetwork[Past], voices: int) -> None:
        super().__init__(network.conditions)
        self._network = network
        self._all = list(range(voices))
        self._is_fresh = [True] * voices
        nothing = np.zeros((voices, network.conditions), dtype=np.float32)
        self._past = network.silent_past(nothing, np.zeros(voices, dtype=np.int64))

    def reset(self, voices: Sequence[int]) -> None:
        """Forget the past of some voices."""
        for voice in voices:
            self._is_fresh[voice] = True

    def _advance(
        self, samples: Floats, conditions: Floats, delay_hops: Delays, voices: list[int]
    ) -> Floats:
        self._start_fresh(conditions, delay_hops, voices)
        hops = samples.shape[1] // HOP_SAMPLES
        told = np.repeat(conditions[:, None], hops, axis=1)
        if voices == self._all:
            faces, self._past = self._network.advance(samples, told, delay_hops, self._past)
            return faces
        past = self._network.chosen(self._past, voices)
        faces, past = self._network.advance(samples, told, delay_hops, past)
        self._network.put(self._past, voices, past)
        return faces

    def _start_fresh(self, conditions: Floats, delay_hops: Delays, voices: list[int]) -> None:
        """Give voices that begin now the past that silence under their own emotion leaves."""
        places = [place for place, voice in enumerate(voices) if self._is_fresh[voice]]
        if not places:
            return
        fresh = [voices[place] for place in places]
        silent = self._network.silent_past(conditions[places], delay_hops[places])
        self._network.put(self._past, fresh, silent)
        for voice in fresh:
            self._is_fresh[voice] = False
