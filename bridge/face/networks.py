"""Loads the networks of a face, generator and speech emotion recognition, and times them at the
pace of live sound.
"""

from __future__ import annotations

import sys
import time
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.source import HOP_S, HOP_SAMPLES
from cstalk_bridge.errors import Problem, UserError
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cstalk_bridge.face.emotion import VoiceWeights
    from cstalk_bridge.face.emotion_estimator import EmotionEstimator
    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.models.speech_emotion.weights import (
        OnnxSpeechEmotionNetwork,
        SpeechEmotionWeights,
    )


def live_device(device: str) -> str:
    """Return where live faces are made for `auto`, `cpu` or `cuda`.

    `auto` is the CPU: a hop takes a fraction of a millisecond there, and Unreal keeps its GPU.
    """
    return "cpu" if device == "auto" else device


def load_network(weights: Path | None, device: str) -> Generator:
    """Load a weights file, None the shipped one, onto `auto`, `cpu` or `cuda`.

    `auto` is a GPU where there is one. UserError for a file that holds no weights of ours, and a
    device that is not there.
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
    """Load the weights of the network that hears moods, once. UserError where its file is bad."""
    from cstalk_bridge.models.errors import WeightsError
    from cstalk_bridge.models.speech_emotion.weights import load_speech_emotion

    try:
        return load_speech_emotion()
    except WeightsError as error:
        raise UserError(Problem("emotion auto", str(error))) from None


@cache
def open_ser_network() -> OnnxSpeechEmotionNetwork:
    """Return the network that hears moods, one for all voices.

    UserError where its file is bad, and where ONNX Runtime does not compute it.
    """
    weights = load_ser_weights()
    try:
        from cstalk_bridge.models.speech_emotion.weights import OnnxSpeechEmotionNetwork

        return OnnxSpeechEmotionNetwork(weights.description.sizes, weights.tensors)
    except (ImportError, OSError, RuntimeError) as error:
        message = (
            f"ONNX Runtime, which hears moods, cannot be used ({error}); install onnx and"
            " onnxruntime again, or do without auto"
        )
        raise UserError(Problem("emotion auto", message)) from error


def open_emotion_estimator(shares: VoiceWeights) -> EmotionEstimator | None:
    """Return what hears a voice as far as it has a say, None where it has none. UserError."""
    if not shares.are_any:
        return None
    from cstalk_bridge.face.emotion_estimator import EmotionEstimator

    return EmotionEstimator(open_ser_network() if shares.auto else None)


def ser_notice() -> str:
    """Return what whoever uses emotions of the voice has to know."""
    licence = load_ser_weights().description.licence
    return f"emotion auto is a research build, {licence}: see models/weights/mood_research.md"


def check_mouth_guards(generator: Generator, guards: Mapping[str, float]) -> None:
    """Raise UserError for every mouth guard that the network cannot heed.

    `guards` holds them by where the user set them.
    """
    problems = []
    for where, mouth_guard in guards.items():
        try:
            generator.check_guard(mouth_guard)
        except ValueError as error:
            problems.append(Problem(where, str(error)))
    if problems:
        raise UserError.of(problems)


HOPS = 500
"""Hops measured for each number of subjects: ten seconds."""


LOOKAHEAD_MS = 80.0
FIRST_HOPS = 25
"""Hops before the measured ones, while memory is laid out."""


def hop_times(
    generator: Generator, subjects: int, hops: int = HOPS, *, is_paced: bool = True
) -> list[float]:
    """Return how long each hop took, in seconds. Live sound is slow enough for caches to cool."""
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
