from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cstalk_bridge.models.timing import HOP_SAMPLES
from cstalk_bridge.models.training.encoder.streams import FOLDER, TeacherClip, write_folder
from cstalk_bridge.models.training.encoder.whisper import LAYER_NAMES, TEACHER_LAYERS, WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

CLIP_ROWS = 90
VOICES = {"kokoro": ("af_a__1", "af_a__2", "bm_b__1"), "kathleen": ("k1",), "no_speech": ("000",)}


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of Whisper's layout with random values."""
    random = np.random.default_rng(0)
    tensors = {
        "conv1.weight": random.normal(0, 0.05, (WIDTH, 80, 3)),
        "conv1.bias": np.zeros(WIDTH),
        "conv2.weight": random.normal(0, 0.02, (WIDTH, WIDTH, 3)),
        "conv2.bias": np.zeros(WIDTH),
    }
    shapes = {
        "projection": (3 * WIDTH, WIDTH),
        "mix": (WIDTH, WIDTH),
        "inner": (4 * WIDTH, WIDTH),
        "outer": (WIDTH, 4 * WIDTH),
    }
    for number in range(TEACHER_LAYERS):
        for ours, theirs in LAYER_NAMES.items():
            part, kind = ours.split(".")
            shape = shapes.get(part, (WIDTH, WIDTH))
            is_norm = part.endswith("norm")
            weight = np.ones(WIDTH) if is_norm else random.normal(0, 0.03, shape)
            bias = np.zeros(WIDTH if is_norm else shape[0])
            tensors[f"layer_{number}.{theirs}"] = weight if kind == "weight" else bias
    path = tmp_path_factory.mktemp("whisper") / "encoder_f16.npz"
    arrays: dict[str, Any] = {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
    np.savez(path, **arrays)
    return path


def clips(
    source: str, part: str, copy: int
) -> Iterator[tuple[TeacherClip, NDArray[np.float32], NDArray[np.float32]]]:
    """Clips whose sound and layer both count the rows; copies differ by a constant."""
    for stem in VOICES[source]:
        clip = TeacherClip(f"{source}/{stem}", part, copy, 1.0 + copy, 0.0, 0, CLIP_ROWS)
        count = (1 + np.arange(CLIP_ROWS)) / CLIP_ROWS
        layer = (np.repeat(count[:, None], WIDTH, 1) + copy).astype(np.float32)
        yield clip, np.repeat(count * 0.5, HOP_SAMPLES).astype(np.float32), layer


@pytest.fixture(scope="session")
def teacher_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of a few clips, the same ones for training and to be held out, with their phones."""
    cache = tmp_path_factory.mktemp("teacher")
    for source in VOICES:
        for copy in range(2):
            both = [clip for part in ("train", "dev") for clip in clips(source, part, copy)]
            write_folder(cache / FOLDER / f"{source}.{copy}", f"{source} {copy}", both)
    phones = {
        f"{source}/{stem}": [(0.0, 0.4, "SIL"), (0.4, 0.8, "B"), (0.8, 1.6, "AA")]
        for source, stems in VOICES.items()
        for stem in stems
        if source != "no_speech"
    }
    (cache / "phones.json").write_text(json.dumps(phones), "utf-8")
    return cache
