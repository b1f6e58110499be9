"""What a subject's voice seems to feel, heard beside its face."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.face.felt import Felt
from models.emotions import EMOTIONS
from models.mood.arousal import Arousal
from models.mood.integrator import HOPS_AT_ONCE, MoodIntegrator
from models.mood.stream import MoodStream
from models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.mood.network import MoodNetwork

NO_MOOD = np.zeros(len(EMOTIONS), dtype=np.float32)


class Feeling:
    """Hears what one voice feels; without a network its arousal only. The generator thread's.

    It hears `HOPS_AT_ONCE` hops together and takes up what they told one by one, so that what is
    felt comes a tenth of a second later and moves in every hop.
    """

    def __init__(self, network: MoodNetwork | None) -> None:
        self._stream = None if network is None else MoodStream(network)
        self._integrator = MoodIntegrator()
        self._arousal = Arousal()
        self._samples = np.zeros((HOPS_AT_ONCE, HOP_SAMPLES), dtype=np.float32)
        self._place = 0
        self._felt = [Felt(NO_MOOD, 0.0)] * HOPS_AT_ONCE
        if self._stream is not None:  # so that the first real step is not the slowest
            self._stream.step(self._samples.reshape(-1))
            self._stream.reset()

    def step(self, samples: NDArray[np.float32]) -> Felt:
        """Hear the next hop, float32 [320] at 16 kHz and finite; return what is felt."""
        felt = self._felt[self._place]
        self._samples[self._place] = samples
        self._place = (self._place + 1) % HOPS_AT_ONCE
        if not self._place:
            self._felt = self.hear(self._samples.reshape(-1))
        return felt

    def hear(self, samples: NDArray[np.float32]) -> list[Felt]:
        """Hear any number of hops, float32 [hops * 320]; return what is felt after each."""
        arousal = self._arousal.step(samples)
        if self._stream is None:
            return [Felt(NO_MOOD, one) for one in arousal]
        heard = self._stream.step(samples)
        moods = map(self._integrator.step, heard.odds, heard.voicing.tolist())
        return [Felt(mood, one) for mood, one in zip(moods, arousal, strict=True)]
