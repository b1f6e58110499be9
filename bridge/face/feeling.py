"""What a subject's voice seems to feel, heard beside its face."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.face.felt import Felt
from models.emotions import EMOTIONS
from models.mood.arousal import Arousal
from models.mood.features import VoiceEar
from models.mood.integrator import HOPS_AT_ONCE, MoodIntegrator
from models.mood.stream import MoodStream
from models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.mood.onnx_network import OnnxMoodNetwork

NO_MOOD = np.zeros(len(EMOTIONS), dtype=np.float32)


class Feeling:
    """Hears what one voice feels; without a network its arousal only. The generator thread's.

    It hears `HOPS_AT_ONCE` hops together and takes up what they told one by one, so that what is
    felt comes a tenth of a second later and moves in every hop.
    """

    def __init__(self, network: OnnxMoodNetwork | None) -> None:
        self._ear = VoiceEar()
        self._arousal = Arousal()
        self._stream = None if network is None else MoodStream(network)
        self._integrator = MoodIntegrator()
        self._samples = np.zeros((HOPS_AT_ONCE, HOP_SAMPLES), dtype=np.float32)
        self._place = 0
        self._felt = [Felt(NO_MOOD, 0.0)] * HOPS_AT_ONCE
        if network is not None:  # so that the first real step is not the slowest
            MoodStream(network).step(VoiceEar().hear(self._samples.reshape(-1)))

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
        heard = self._ear.hear(samples)
        arousal = self._arousal.step(heard)
        if self._stream is None:
            return [Felt(NO_MOOD, one) for one in arousal]
        moods = self._integrator.take(self._stream.step(heard))
        return [Felt(mood, one) for mood, one in zip(moods, arousal, strict=True)]
