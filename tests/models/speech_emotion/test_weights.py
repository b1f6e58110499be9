"""Speech emotion weights that do not fit are reported; the shipped file states its licence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.speech_emotion.weights import (
    DEFAULT_PATH,
    SpeechEmotionDescription,
    load_speech_emotion,
    save_speech_emotion,
)
from tests.models.speech_emotion.conftest import SIZES

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.models.training.speech_emotion import SpeechEmotionNetwork


MOST_BYTES = 1_000_000


@pytest.fixture
def written(tmp_path: Path, torch_network: SpeechEmotionNetwork) -> Path:
    path = tmp_path / "mood.safetensors"
    save_speech_emotion(
        path, torch_network.tensors(), SpeechEmotionDescription(SIZES, {"licence": "none"})
    )
    return path


def test_a_round_trip_keeps_every_weight(
    written: Path, torch_network: SpeechEmotionNetwork
) -> None:
    again = load_speech_emotion(written)
    assert again.description.sizes == SIZES
    assert again.description.licence == "none"
    tensors = torch_network.tensors()
    assert again.tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(again.tensors[name], tensor)


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "a generator's": ({"format": "cstalk-generator-1"}, "format cstalk-generator-1, expected"),
    "no description": ({"description": "{"}, "description is damaged"),
    "no sizes": ({"sizes": None}, "description is damaged"),
    "no card": ({"card": 3}, "description is damaged"),
    "other emotions": ({"emotions": ["joy"]}, "other emotions or rates"),
    "another rate": ({"sample_rate_hz": 8000}, "other emotions or rates"),
    "a width that fits no tensor": ({"sizes": {"width": 17, "dilations": [1, 2, 4]}}, "do not fit"),
    "a width of gigabytes": (
        {"sizes": {"width": 10**9, "dilations": [1]}},
        "sizes are out of range",
    ),
    "a reach of days": ({"sizes": {"width": 16, "dilations": [10**9]}}, "sizes are out of range"),
    "no layers": ({"sizes": {"width": 16, "dilations": []}}, "sizes are out of range"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_files_of_another_make_are_one_clear_error(
    written: Path, tmp_path: Path, kind: str
) -> None:
    changes, message = CHANGES[kind]
    with safe_open(written, "np") as file:
        metadata = dict(file.metadata())
    metadata["format"] = changes.get("format", metadata["format"])
    described = json.loads(metadata["description"]) | changes
    metadata["description"] = changes.get("description", json.dumps(described))
    save_file(load_file(written), tmp_path / "bad.safetensors", metadata)
    with pytest.raises(WeightsError, match=rf"bad\.safetensors: .*{message}.*; .+"):
        load_speech_emotion(tmp_path / "bad.safetensors")


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
def test_a_file_that_was_cut_is_refused(written: Path, kept: float) -> None:
    whole = written.read_bytes()
    written.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(WeightsError, match=r"mood\.safetensors: damaged"):
        load_speech_emotion(written)


def test_missing_files_are_reported(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such weights file; name one"):
        load_speech_emotion(tmp_path / "x.safetensors")


def test_the_shipped_weights_say_that_they_are_not_for_sale() -> None:
    card = DEFAULT_PATH.with_suffix(".md").read_text("utf-8")
    description = load_speech_emotion().description
    assert "CC BY-NC-SA 4.0" in description.licence
    assert "non-commercial" in description.licence
    assert "non-commercial" in card
    assert "ravdess" in description.card["data"]
    assert DEFAULT_PATH.stat().st_size < MOST_BYTES
