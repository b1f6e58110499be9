from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch

from bridge.audio.opening import SPEECH_PATH
from bridge.takes.hearing import heard
from bridge.takes.sound import SampledSound
from models.mood.network import MoodNetwork
from models.mood.onnx_network import OnnxMoodNetwork
from models.mood.sizes import Sizes

SIZES = Sizes(width=16, dilations=(1, 2, 4))


@pytest.fixture(scope="session")
def torch_network() -> MoodNetwork:
    """A small untrained network; its average voice is no voice at all."""
    torch.manual_seed(5)
    return MoodNetwork(SIZES).eval().requires_grad_(requires_grad=False)


@pytest.fixture(scope="session")
def network(torch_network: MoodNetwork) -> OnnxMoodNetwork:
    return OnnxMoodNetwork(SIZES, torch_network.tensors())


def speech() -> np.ndarray:
    """The recording that comes with the program: speech with pauses, at 16 kHz."""
    return np.concatenate([*heard(SampledSound(*soundfile.read(SPEECH_PATH, dtype="float32")))])


def voice(seconds: float, hz: float = 140.0) -> np.ndarray:
    """A buzz that glides and swells as speech does, with silence after each half second."""
    times_s = np.arange(round(seconds * 16_000)) / 16_000
    phase = 2 * np.pi * np.cumsum(hz * (1 + 0.1 * np.sin(3 * times_s))) / 16_000
    sound = sum(np.sin(k * phase) / k for k in range(1, 20))
    speaking = (times_s % 0.7) < 0.5
    hiss = 0.003 * np.random.default_rng(1).standard_normal(len(times_s))
    return (0.1 * sound * speaking + hiss).astype(np.float32)
