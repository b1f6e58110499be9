"""Loads the networks of a face, the generator and speech emotion recognition, and measures how long
a hop takes at the rate of live sound.
"""

from __future__ import annotations

import sys
import time
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.source import HOP_S, HOP_SAMPLES
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.face.emotion import VoiceWeights
    from cstalk_bridge.face.emotion_estimator import EmotionEstimator
    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.models.speech_emotion.weights import (
        OnnxSpeechEmotionNetwork,
        SpeechEmotionWeights,
    )


def live_device(device: str) -> str:
    """Return the device of live faces for the setting `auto`, `cpu` or `cuda`.

    `auto` is the CPU: a hop takes a fraction of a millisecond there, and Unreal keeps its GPU.
    """
    return "cpu" if device == "auto" else device


def load_network(weights: Path | None, device: str) -> Generator:
    """Load a weights file, None the shipped one, onto `auto`, `cpu` or `cuda`.

    `auto` is a GPU where there is one. UserError for a file without valid weights, and for a device
    that is not available.
    """
    from cstalk_bridge.models import load_generator
    from cstalk_bridge.models.errors import WeightsError

    try:
        generator = load_generator(weights, device)
    except WeightsError as error:
        raise UserError(Problem("weights", str(error))) from None
    except ValueError as error:
        raise UserError(Problem("device", str(error))) from None
    _limit_torch_threads()
    return generator


def _limit_torch_threads() -> None:
    """Keep torch, where it is used, to one thread: for so small a network two are slower."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@cache
def load_ser_weights() -> SpeechEmotionWeights:
    """Load the weights of speech emotion recognition, once.

    UserError where the file is damaged, and where ONNX Runtime cannot be imported.
    """
    from cstalk_bridge.models.errors import WeightsError

    try:
        from cstalk_bridge.models.speech_emotion.weights import load_speech_emotion

        return load_speech_emotion()
    except WeightsError as error:
        raise UserError(Problem("emotion auto", str(error))) from None
    except _ONNX_FAILURES as error:
        raise _without_onnx_runtime(error) from error


@cache
def open_ser_network() -> OnnxSpeechEmotionNetwork:
    """Return the speech emotion recognition network, one for all voices.

    UserError where its file is damaged, and where ONNX Runtime cannot run it.
    """
    weights = load_ser_weights()
    try:
        from cstalk_bridge.models.speech_emotion.weights import OnnxSpeechEmotionNetwork

        return OnnxSpeechEmotionNetwork(weights.description.sizes, weights.tensors)
    except _ONNX_FAILURES as error:
        raise _without_onnx_runtime(error) from error


_ONNX_FAILURES = (ImportError, OSError, RuntimeError)


def _without_onnx_runtime(error: Exception) -> UserError:
    what = f"ONNX Runtime, which recognises emotions of the voice, cannot be used ({error})"
    remedy = "install onnx and onnxruntime again, or do without auto"
    return UserError(Problem("emotion auto", what, remedy))


def open_emotion_estimator(voice_weights: VoiceWeights) -> EmotionEstimator | None:
    """Return an estimator of a voice's emotion, None where the weights give it no influence.

    UserError as `open_ser_network`, where `auto` is used.
    """
    if not voice_weights.is_active:
        return None
    from cstalk_bridge.face.emotion_estimator import EmotionEstimator

    return EmotionEstimator(open_ser_network() if voice_weights.auto else None)


def ser_notice() -> str:
    """Return the licence notice for users of `auto`."""
    licence = load_ser_weights().description.licence
    return f"emotion auto is a research build, {licence}: see models/weights/mood_research.md"


HOPS = 500
"""Hops measured for each number of subjects: ten seconds."""


LOOKAHEAD_MS = 80.0
FIRST_HOPS = 25
"""Warm-up hops before the measured ones."""


def hop_times(
    generator: Generator, subjects: int, hops: int = HOPS, *, is_paced: bool = True
) -> list[float]:
    """Return the duration of each hop in seconds, at the rate of live sound where `is_paced`.

    At that rate caches are cold again at every hop, so that hops cost more than back to back.
    """
    stream = generator.stream(subjects)
    hop = white_noise(subjects, HOP_SAMPLES)
    emotion = np.zeros((subjects, len(generator.emotions)), dtype=np.float32)
    lookahead_ms = np.full(subjects, LOOKAHEAD_MS, dtype=np.float32)
    durations_s = []
    due_s = host_now()
    for _ in range(FIRST_HOPS + hops):
        if is_paced:
            due_s = max(due_s + HOP_S, host_now())
            time.sleep(max(0.0, due_s - host_now()))
        start_s = host_now()
        stream.step(hop, emotion, lookahead_ms, range(subjects))
        durations_s.append(host_now() - start_s)
    return durations_s[FIRST_HOPS:]


def white_noise(subjects: int, samples: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return seeded noise at 0.1, float32 `[subjects, samples]`."""
    random = np.random.default_rng(0)
    return 0.1 * random.standard_normal((subjects, samples), dtype=np.float32)
