"""A weights file that does not fit says so; it never runs code and never loads by half."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from models import load_generator
from models.board import AUDIO_DRIVEN
from models.emotions import EMOTIONS
from models.errors import WeightsError
from models.weights_file import Description, load, save

if TYPE_CHECKING:
    from pathlib import Path

CPU = torch.device("cpu")


def test_a_round_trip_keeps_every_weight(
    small_weights: Path, small_description: Description, tmp_path: Path
) -> None:
    network, description = load(small_weights, CPU)
    assert description == small_description
    save(tmp_path / "again.safetensors", network, description)
    again, _ = load(tmp_path / "again.safetensors", CPU)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])


def rewritten(source: Path, target: Path, **changes: Any) -> None:
    """Write the tensors of `source` under its own description with `changes`, or another format."""
    with safe_open(source, "pt") as file:
        metadata = dict(file.metadata())
    metadata["format"] = changes.pop("format", metadata["format"])
    described = json.loads(metadata["description"])
    described["architecture"] |= changes.pop("sizes", {})
    metadata["description"] = changes.pop("description", json.dumps(described | changes))
    save_file(load_file(source), target, metadata)


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "another program's": ({"format": "pickle"}, "format pickle, expected"),
    "an older version's": ({"format": "cstalk-generator-0"}, "format cstalk-generator-0, expected"),
    "no description": ({"description": ""}, "description is damaged"),
    "no object": ({"description": "[1]"}, "description is damaged"),
    "sizes that are none": ({"architecture": [1]}, "description is damaged"),
    "an unknown size": ({"sizes": {"depth": 3}}, "description is damaged"),
    "an unknown network": ({"network": "unet"}, "description is damaged"),
    "no card": ({"card": 3}, "description is damaged"),
    "names off the board": ({"channels": ["nose"] * 81}, "other channels"),
    "channels in another order": ({"channels": AUDIO_DRIVEN[::-1]}, "other channels"),
    "fewer channels": ({"channels": AUDIO_DRIVEN[1:]}, "other channels"),
    "other emotions": ({"emotions": EMOTIONS[::-1]}, "other emotions"),
    "other rates": ({"rate_hz": 60, "sample_rate_hz": 8000}, "other sample rate, row rate"),
    "fewer look-aheads": ({"sizes": {"delays": 3}}, "other number of look-aheads"),
    "a width that fits no tensor": ({"sizes": {"width": 17}}, "do not fit"),
    "a width of gigabytes": ({"sizes": {"width": 10**9}}, "do not fit"),
    "a width that is no number": (
        {"sizes": {"width": "wide"}},
        "sizes that make no network",
    ),
    "a width that is no whole number": (
        {"sizes": {"width": 16.0}},
        "sizes that make no network .a size is no whole number",
    ),
    "look-aheads that are no whole number": (
        {"sizes": {"delays": 13.0}},
        "sizes that make no network",
    ),
    "a condition that is no number": (
        {"sizes": {"condition_width": "wide"}},
        "sizes that make no network",
    ),
    "a reach of days": ({"sizes": {"encoder_dilations": [1, 10**9]}}, "dilations or a window"),
    "a reach that is no number": ({"sizes": {"encoder_dilations": [1, "2"]}}, "dilations or a"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_weights_of_another_make_are_one_clear_error(
    small_weights: Path, tmp_path: Path, kind: str
) -> None:
    changes, message = CHANGES[kind]
    path = tmp_path / "bad.safetensors"
    rewritten(small_weights, path, **changes)
    with pytest.raises(WeightsError, match=rf"bad\.safetensors: .*{message}.*; .+"):
        load_generator(path, "cpu")


def test_nothing_changed_is_no_error(small_weights: Path, tmp_path: Path) -> None:
    rewritten(small_weights, tmp_path / "good.safetensors")
    assert load_generator(tmp_path / "good.safetensors", "cpu").rate_hz == 50


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_weights_of_another_precision_make_their_faces_with_onnx_runtime(
    small_weights: Path, tmp_path: Path, kind: torch.dtype
) -> None:
    with safe_open(small_weights, "pt") as file:
        metadata = dict(file.metadata())
    path = tmp_path / "other.safetensors"
    rounded = {name: tensor.to(kind) for name, tensor in load_file(small_weights).items()}
    save_file(rounded, path, metadata)
    other, ours = load_generator(path, "cpu"), load_generator(small_weights, "cpu")
    assert (other.engine.notice, other.engine.name) == ("", ours.engine.name)
    noise = 0.1 * np.random.default_rng(1).standard_normal(9600).astype(np.float32)
    faces = [generator.generate(noise, 16_000) for generator in (other, ours)]
    assert np.abs(faces[0] - faces[1]).max() < 0.02


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    for name in ("x.safetensors", "x" * 5000, "a\0b"):
        with pytest.raises(WeightsError, match="no such weights file; name one"):
            load_generator(tmp_path / name, "cpu")
    with pytest.raises(WeightsError, match="no such weights file; name one"):
        load_generator(tmp_path, "cpu")


def test_values_that_are_not_finite_are_refused(small_weights: Path, tmp_path: Path) -> None:
    network, description = load(small_weights, CPU)
    network.head.bias.data[0] = float("nan")
    save(tmp_path / "bad.safetensors", network, description)
    with pytest.raises(WeightsError, match="not finite; fetch"):
        load_generator(tmp_path / "bad.safetensors", "cpu")


@settings(max_examples=40)
@given(kept=st.floats(0.0, 1.0, exclude_max=True))
def test_weights_cut_anywhere_are_refused(
    tmp_path_factory: pytest.TempPathFactory, small_weights: Path, kept: float
) -> None:
    whole = small_weights.read_bytes()
    path = tmp_path_factory.getbasetemp() / "cut.safetensors"
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(WeightsError, match=r"cut\.safetensors: damaged or no safetensors file"):
        load_generator(path, "cpu")


@settings(max_examples=40)
@given(content=st.binary(max_size=200))
def test_what_is_no_weights_file_is_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "other.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"other\.safetensors: .+; "):
        load_generator(path, "cpu")


def test_tensors_of_another_shape_are_refused(small_weights: Path, tmp_path: Path) -> None:
    network, description = load(small_weights, CPU)
    network.head = torch.nn.Conv1d(16, 3, 1)
    save(tmp_path / "bad.safetensors", network, description)
    with pytest.raises(WeightsError, match="do not fit"):
        load(tmp_path / "bad.safetensors", CPU)
