from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch

from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.models.speech_emotion.weights import OnnxSpeechEmotionNetwork, SpeechEmotionSizes
from cstalk_bridge.models.training.speech_emotion import SpeechEmotionNetwork
from cstalk_bridge.takes.sound import SampledSound, network_input

SIZES = SpeechEmotionSizes(width=16, dilations=(1, 2, 4))


@pytest.fixture(scope="session")
def torch_network() -> SpeechEmotionNetwork:
    """A small untrained network; its average voice is no voice at all."""
    torch.manual_seed(5)
    return SpeechEmotionNetwork(SIZES).eval().requires_grad_(requires_grad=False)


@pytest.fixture(scope="session")
def network(torch_network: SpeechEmotionNetwork) -> OnnxSpeechEmotionNetwork:
    return OnnxSpeechEmotionNetwork(SIZES, torch_network.tensors())


def speech() -> np.ndarray:
    """The recording that comes with the program: speech with pauses, at 16 kHz."""
    return np.concatenate(
        [*network_input(SampledSound(*soundfile.read(SPEECH_PATH, dtype="float32")))]
    )


def voice(seconds: float, hz: float = 140.0) -> np.ndarray:
    """A buzz that glides and swells as speech does, with silence after each half second."""
    times_s = np.arange(round(seconds * 16_000)) / 16_000
    phase = 2 * np.pi * np.cumsum(hz * (1 + 0.1 * np.sin(3 * times_s))) / 16_000
    sound = sum(np.sin(k * phase) / k for k in range(1, 20))
    speaking = (times_s % 0.7) < 0.5
    hiss = 0.003 * np.random.default_rng(1).standard_normal(len(times_s))
    return (0.1 * sound * speaking + hiss).astype(np.float32)
