from __future__ import annotations

import pytest
import torch

from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.speech_emotion.weights import OnnxSpeechEmotionNetwork, SpeechEmotionSizes
from cstalk_bridge.models.training.speech_emotion import SpeechEmotionNetwork

SIZES = SpeechEmotionSizes(8, (1, 2))


@pytest.fixture(scope="module")
def network() -> OnnxSpeechEmotionNetwork:
    """Untrained, with a bias towards anger, so that something shows."""
    torch.manual_seed(1)
    tensors = SpeechEmotionNetwork(SIZES).tensors()
    tensors["head.bias"][EMOTIONS.index("angry")] = 4.0
    return OnnxSpeechEmotionNetwork(SIZES, tensors)
