"""A weights file that does not fit says so; it never runs code and never loads by half."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file

from models import load_generator
from models.errors import WeightsError
from models.weights_file import FORMAT, Description, load, save

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


def damaged(small_weights: Path, target: Path, kind: str) -> Path:
    tensors = load_file(small_weights)
    description = {
        "architecture": {},
        "channels": ["nose"],
        "emotions": [],
        "sample_rate_hz": 1,
        "rate_hz": 1,
        "card": {},
    }
    metadata = {"format": FORMAT, "description": json.dumps(description)}
    if kind == "truncated":
        target.write_bytes(small_weights.read_bytes()[:-100])
    elif kind == "text":
        target.write_text("weights", encoding="utf-8")
    elif kind == "other format":
        save_file(tensors, target, {"format": "pickle"})
    elif kind == "no description":
        save_file(tensors, target, {"format": FORMAT})
    elif kind == "unknown channels":
        save_file(tensors, target, metadata)
    elif kind == "not finite":
        network, sound = load(small_weights, CPU)
        network.head.bias.data[0] = float("nan")
        save(target, network, sound)
    return target


@pytest.mark.parametrize(
    "kind",
    [
        "missing",
        "truncated",
        "text",
        "other format",
        "no description",
        "unknown channels",
        "not finite",
    ],
)
def test_bad_weights_are_one_clear_error(small_weights: Path, tmp_path: Path, kind: str) -> None:
    path = damaged(small_weights, tmp_path / "bad.safetensors", kind)
    with pytest.raises(WeightsError, match=r"bad\.safetensors: .+; "):
        load_generator(path, "cpu")


def test_tensors_of_another_shape_are_refused(small_weights: Path, tmp_path: Path) -> None:
    network, description = load(small_weights, CPU)
    network.head = torch.nn.Conv1d(16, 3, 1)
    save(tmp_path / "bad.safetensors", network, description)
    with pytest.raises(WeightsError, match="do not fit"):
        load(tmp_path / "bad.safetensors", CPU)
