"""The network as the bridge uses it: one thread for its sums, faults in words for the user."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bridge.face.feeling import Feeling
    from bridge.face.felt import Shares
    from models.generator import Generator
    from models.mood.onnx_network import OnnxMoodNetwork
    from models.mood.weights import MoodWeights


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
    from models import load_generator
    from models.errors import WeightsError

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
def load_mood() -> MoodWeights:
    """Load the weights of the network that hears moods, once. UserError where its file is bad."""
    from models.errors import WeightsError
    from models.mood.weights import load

    try:
        return load()
    except WeightsError as error:
        raise UserError(Problem("emotion auto", str(error))) from None


@cache
def open_mood() -> OnnxMoodNetwork:
    """Return the network that hears moods, one for all voices.

    UserError where its file is bad, and where ONNX Runtime does not compute it.
    """
    weights = load_mood()
    try:
        from models.mood.onnx_network import OnnxMoodNetwork

        return OnnxMoodNetwork(weights.description.sizes, weights.tensors)
    except (ImportError, OSError, RuntimeError) as error:
        message = (
            f"ONNX Runtime, which hears moods, cannot be used ({error}); install onnx and"
            " onnxruntime again, or do without auto"
        )
        raise UserError(Problem("emotion auto", message)) from error


def open_feeling(shares: Shares) -> Feeling | None:
    """Return what hears a voice as far as it has a say, None where it has none. UserError."""
    if not shares.are_any:
        return None
    from bridge.face.feeling import Feeling

    return Feeling(open_mood() if shares.auto else None)


def mood_notice() -> str:
    """Return what whoever uses emotions of the voice has to know."""
    licence = load_mood().description.licence
    return f"emotion auto is a research build, {licence}: see models/weights/mood_research.md"


def check_guards(generator: Generator, guards: Mapping[str, float]) -> None:
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
