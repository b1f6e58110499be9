"""Estimates the emotion of a subject's voice, hop by hop (speech emotion recognition)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.face.emotion import EstimatedEmotion
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.speech_emotion.estimator import (
    HOPS_AT_ONCE,
    ArousalEstimator,
    EmotionEvidenceStream,
    EmotionIntegrator,
)
from cstalk_bridge.models.speech_emotion.features import VoiceFeatureExtractor
from cstalk_bridge.models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cstalk_bridge.models.speech_emotion.weights import OnnxSpeechEmotionNetwork


NO_EMOTION = np.zeros(len(EMOTIONS), dtype=np.float32)


class EmotionEstimator:
    """Estimates the emotion of one voice; without a network its arousal only.

    Live hops are processed `HOPS_AT_ONCE` at a time and their estimates returned one by one, a
    tenth of a second later, so that the estimate moves with every hop. Belongs to the inference
    thread.
    """

    def __init__(self, network: OnnxSpeechEmotionNetwork | None) -> None:
        self._extractor = VoiceFeatureExtractor()
        self._arousal = ArousalEstimator()
        self._stream = None if network is None else EmotionEvidenceStream(network)
        self._integrator = EmotionIntegrator()
        self._samples = np.zeros((HOPS_AT_ONCE, HOP_SAMPLES), dtype=np.float32)
        self._place = 0
        self._estimates = [EstimatedEmotion(NO_EMOTION, 0.0)] * HOPS_AT_ONCE
        if network is not None:  # warms it up, so that the first real step is not the slowest
            EmotionEvidenceStream(network).step(
                VoiceFeatureExtractor().process(self._samples.reshape(-1))
            )

    def step(self, samples: NDArray[np.float32]) -> EstimatedEmotion:
        """Process the next hop, float32 [320] at 16 kHz and finite; return the present estimate."""
        estimate = self._estimates[self._place]
        self._samples[self._place] = samples
        self._place = (self._place + 1) % HOPS_AT_ONCE
        if not self._place:
            self._estimates = self.process(self._samples.reshape(-1))
        return estimate

    def process(self, samples: NDArray[np.float32]) -> list[EstimatedEmotion]:
        """Process any number of hops, float32 [hops * 320]; return the estimate after each."""
        features = self._extractor.process(samples)
        arousal = self._arousal.step(features)
        if self._stream is None:
            return [EstimatedEmotion(NO_EMOTION, one) for one in arousal]
        weights = self._integrator.update(self._stream.step(features))
        return [EstimatedEmotion(*pair) for pair in zip(weights, arousal, strict=True)]
