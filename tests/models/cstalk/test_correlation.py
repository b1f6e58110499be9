"""The correlation module: what it may see, how it learns a coupling, and its file."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file

from cstalk_bridge.models.board import AUDIO_DRIVEN, REGION_COLUMNS, REGIONS
from cstalk_bridge.models.cstalk.correlation import (
    FORMAT,
    CorrelationSizes,
    RegionCorrelation,
    Windows,
    load_correlation,
    save_correlation,
)
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path


CPU = torch.device("cpu")
SMALL = CorrelationSizes(window_rows=8, width=16, layers=1, heads=2)
BROW, NOSE, JAW = (REGIONS.index(region) for region in ("brow", "nose", "jaw_chin"))

EVERY = torch.ones(len(AUDIO_DRIVEN), dtype=torch.bool)


@pytest.fixture
def network() -> RegionCorrelation:
    torch.manual_seed(1)
    return RegionCorrelation(SMALL, torch.full((len(AUDIO_DRIVEN),), 0.5), EVERY)


def windows(values: torch.Tensor) -> Windows:
    batch = len(values)
    return Windows(
        values,
        EVERY.expand(batch, -1),
        torch.zeros(batch, len(EMOTIONS)),
        torch.ones(batch, dtype=torch.bool),
    )


def hiding(batch: int, *regions: int) -> torch.Tensor:
    hidden = torch.zeros(batch, SMALL.window_rows, len(REGIONS), dtype=torch.bool)
    hidden[..., list(regions)] = True
    return hidden


def changed(faces: torch.Tensor, region: str) -> torch.Tensor:
    other = faces.clone()
    other[..., list(REGION_COLUMNS[region])] += 0.5
    return other


def test_the_default_is_small() -> None:
    network = RegionCorrelation(CorrelationSizes(), torch.ones(len(AUDIO_DRIVEN)), EVERY)
    assert sum(p.numel() for p in network.parameters()) < 2_000_000


def test_a_hidden_region_is_out_of_sight_and_the_others_are_not(network: RegionCorrelation) -> None:
    faces = torch.rand(2, SMALL.window_rows, len(AUDIO_DRIVEN))
    hidden = hiding(2, BROW)
    guess = network(windows(faces), hidden)
    assert torch.equal(guess, network(windows(changed(faces, "brow")), hidden))
    assert not torch.allclose(guess, network(windows(changed(faces, "nose")), hidden))


def test_an_unobserved_channel_is_out_of_sight(network: RegionCorrelation) -> None:
    faces = torch.rand(1, SMALL.window_rows, len(AUDIO_DRIVEN))
    seen = windows(faces).observed.clone()
    seen[:, list(REGION_COLUMNS["tongue"])] = False
    one, other = (
        network(dataclasses.replace(windows(f), observed=seen), hiding(1, BROW))
        for f in (faces, changed(faces, "tongue"))
    )
    assert torch.equal(one, other)


def test_the_emotion_counts_only_where_it_is_known(network: RegionCorrelation) -> None:
    faces = torch.rand(1, SMALL.window_rows, len(AUDIO_DRIVEN))
    happy = torch.eye(len(EMOTIONS))[1:2]

    def guess(emotion: torch.Tensor, *, known_emotion: bool) -> torch.Tensor:
        known = torch.tensor([known_emotion])
        given = dataclasses.replace(windows(faces), emotion=emotion, emotion_known=known)
        return network(given, hiding(1, BROW))

    assert not torch.allclose(
        guess(happy, known_emotion=True), guess(0 * happy, known_emotion=True)
    )
    assert torch.equal(guess(happy, known_emotion=False), guess(0 * happy, known_emotion=False))


def test_it_learns_that_one_region_follows_another(network: RegionCorrelation) -> None:
    """The brow repeats the jaw and the nose is noise: only the brow becomes predictable."""
    dice = torch.Generator().manual_seed(2)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    brow, nose, jaw = (list(REGION_COLUMNS[r]) for r in ("brow", "nose", "jaw_chin"))

    def draw(count: int) -> torch.Tensor:
        faces = torch.zeros(count, SMALL.window_rows, len(AUDIO_DRIVEN))
        faces[..., jaw] = torch.rand(count, 1, 1, generator=dice)
        faces[..., brow] = faces[..., jaw[:1]]
        faces[..., nose] = torch.rand(count, 1, 1, generator=dice)
        return faces

    for _ in range(150):
        faces = draw(16)
        guess = network(windows(faces), hiding(16, BROW, NOSE))
        error = (guess - faces)[..., brow + nose].abs().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    faces = draw(64)
    with torch.inference_mode():
        error = (network(windows(faces), hiding(64, BROW, NOSE)) - faces).abs()
    assert error[..., brow].mean() < 0.08
    assert error[..., nose].mean() > 0.2


def test_a_round_trip_keeps_every_weight(network: RegionCorrelation, tmp_path: Path) -> None:
    save_correlation(tmp_path / "c.safetensors", network, {"licence": "none"})
    again, card = load_correlation(tmp_path / "c.safetensors", CPU)
    assert card == {"licence": "none"}
    assert again.sizes == network.sizes
    assert not any(parameter.requires_grad for parameter in again.parameters())
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])


@pytest.mark.parametrize(
    "kind", ["truncated", "other format", "other channels", "huge", "width", "known"]
)
def test_a_bad_file_is_one_clear_error(
    network: RegionCorrelation, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "bad.safetensors"
    save_correlation(path, network, {})
    tensors = load_file(path)
    description: dict[str, object] = {
        "sizes": dataclasses.asdict(SMALL),
        "channels": AUDIO_DRIVEN,
        "regions": REGIONS,
        "emotions": EMOTIONS,
        "card": {},
    }
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:-50])
    elif kind == "other format":
        save_file(tensors, path, {"format": "cstalk-generator-1"})
    else:
        if kind == "known":
            del tensors["known"]
        changes: dict[str, dict[str, object]] = {
            "known": {},
            "other channels": {"channels": AUDIO_DRIVEN[1:]},
            "huge": {"sizes": {"width": 10**9}},
            "width": {"sizes": dataclasses.asdict(SMALL) | {"width": 32}},
        }
        description |= changes[kind]
        save_file(tensors, path, {"format": FORMAT, "description": json.dumps(description)})
    with pytest.raises(WeightsError, match=r"bad\.safetensors: .+; "):
        load_correlation(path, CPU)
