"""What a subject's voice seems to feel, heard beside its face."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.emotions import EMOTIONS
from models.mood.integrator import HOPS_AT_ONCE, MoodIntegrator
from models.mood.stream import MoodStream
from models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.mood.network import MoodNetwork


class Feeling:
    """Hears the mood of one voice; the generator thread's.

    It hears `HOPS_AT_ONCE` hops together and takes up what they told one by one, so that a mood
    comes a tenth of a second later and moves in every hop.
    """

    def __init__(self, network: MoodNetwork) -> None:
        self._stream = MoodStream(network)
        self._stream.step(np.zeros(HOPS_AT_ONCE * HOP_SAMPLES, dtype=np.float32))
        self._stream.reset()
        self._integrator = MoodIntegrator()
        self._samples = np.zeros((HOPS_AT_ONCE, HOP_SAMPLES), dtype=np.float32)
        self._place = 0
        self._odds = np.zeros((HOPS_AT_ONCE, len(EMOTIONS)), dtype=np.float32)
        self._voicing = [0.0] * HOPS_AT_ONCE

    def step(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Hear the next hop, float32 [320] at 16 kHz and finite; return the mood, [emotions]."""
        place = self._place
        self._samples[place] = samples
        mood = self._integrator.step(self._odds[place], self._voicing[place])
        self._place = (place + 1) % HOPS_AT_ONCE
        if not self._place:
            heard = self._stream.step(self._samples.reshape(-1))
            self._odds, self._voicing = heard.odds, heard.voicing.tolist()
        return mood
