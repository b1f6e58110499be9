"""What is hidden, what counts as error, and the rivals' guesses."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cstalk_bridge.models.board import AUDIO_DRIVEN, REGION_COLUMNS, REGIONS
from cstalk_bridge.models.cstalk.correlation import (
    CorrelationSizes,
    RegionCorrelation,
    Windows,
    load_correlation,
    save_correlation,
)
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.training import correlation as script
from cstalk_bridge.models.training.correlation import (
    linear_start,
    mask_windows,
    masked_error,
    region_errors,
)
from cstalk_bridge.models.training.rules import REGION_CHANNELS
from cstalk_bridge.models.training.run import Run, TrainingConfig
from tests.models.training.captured import write_captures

ONES = torch.ones(len(AUDIO_DRIVEN))


def windows(values: torch.Tensor) -> Windows:
    batch = len(values)
    seen = torch.ones(batch, len(AUDIO_DRIVEN), dtype=torch.bool)
    felt = torch.ones(batch, dtype=torch.bool)
    return Windows(values, seen, torch.zeros(batch, len(EMOTIONS)), felt)


def test_something_is_hidden_and_something_observed_stays_in_sight() -> None:
    faces = windows(torch.zeros(200, 10, len(AUDIO_DRIVEN)))
    faces.observed[:, list(REGION_COLUMNS["nose"])] = False
    hidden = mask_windows(faces, np.random.default_rng(1))
    whole = hidden.all(1)
    assert hidden.any(1).any(1).all()
    assert not whole.all(1).any()
    assert 60 < int(whole.any(1).sum()) < 180
    told = [row for row, region in enumerate(REGIONS) if region != "nose"]
    assert (~whole[:, told]).sum(1).min() >= len(told) - 2


def test_only_what_was_hidden_and_observed_counts() -> None:
    faces = windows(torch.zeros(1, 10, len(AUDIO_DRIVEN)))
    hidden = torch.zeros(1, 10, len(REGIONS), dtype=torch.bool)
    hidden[..., REGIONS.index("brow")] = True
    wrong_elsewhere = torch.ones(1, 10, len(AUDIO_DRIVEN)) * ~REGION_CHANNELS[REGIONS.index("brow")]
    assert masked_error(wrong_elsewhere, faces, hidden, ONES) == 0.0
    wrong = torch.ones_like(wrong_elsewhere)
    assert masked_error(wrong, faces, hidden, ONES) == pytest.approx(1.0)
    seen = faces.observed.clone()
    seen[:, REGION_COLUMNS["brow"][0]] = False
    wrong[..., REGION_COLUMNS["brow"][0]] = 9.0
    partly = dataclasses.replace(faces, observed=seen)
    assert masked_error(wrong, partly, hidden, ONES) == pytest.approx(1.0)


def test_a_regression_finds_what_is_linear_and_a_constant_does_not() -> None:
    rng = torch.Generator().manual_seed(1)

    def draw(count: int) -> Windows:
        values = torch.zeros(count, 12, len(AUDIO_DRIVEN))
        jaw = torch.rand(count, 12, generator=rng)
        values[..., REGION_COLUMNS["jaw_chin"][0]] = jaw
        values[..., REGION_COLUMNS["brow"][0]] = 0.5 * jaw
        return windows(values)

    network = RegionCorrelation(CorrelationSizes(12, 8, 1, 1), ONES, ONES.bool())
    found = region_errors(network, draw(40), draw(20), "brow")
    assert found["linear explains"] > 0.95
    assert found["linear"] < 0.2 * found["mean"]
    assert set(found) >= {"median", "network", "network explains"}
    assert region_errors(network, draw(4), draw(4), "nose") == {}


def test_the_shortcut_starts_at_what_is_linear_between_regions() -> None:
    rng = torch.Generator().manual_seed(1)
    values = torch.zeros(40, 12, len(AUDIO_DRIVEN))
    jaw, brow, nose = (REGION_COLUMNS[region][0] for region in ("jaw_chin", "brow", "nose"))
    values[..., jaw] = torch.rand(40, 12, generator=rng)
    values[..., brow] = 0.5 * values[..., jaw]
    values[..., nose] = 0.7
    faces = windows(values)
    faces.observed[:20, nose] = False
    start = linear_start(faces, 2 * ONES)
    assert start[brow, jaw] == pytest.approx(0.5, abs=0.05)
    for member in REGION_CHANNELS:
        own = member.repeat(2)
        assert start[member][:, own].abs().max() == 0.0
    sight = torch.cat((values[30:, :1] / 2 * (torch.arange(81) != nose), torch.ones(10, 1, 81)), -1)
    assert (sight @ start.T)[..., nose] * 2 == pytest.approx(0.7, abs=0.02)


ROOT = Path(__file__).parents[3]
SMALL = CorrelationSizes(window_rows=10, width=8, layers=1, heads=1)
SHORT = TrainingConfig(steps=4, batch=3, warm_up_steps=1, check_every=100, save_every=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("captures")
    write_captures(folder)
    return folder


class Stopped(Exception):  # noqa: N818 - an interruption
    pass


def test_an_interrupted_run_ends_with_the_same_weights(
    data: Path, corpus_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, card = script.train(data, corpus_folder, tmp_path / "straight", SHORT, SMALL)
    kept = Run.save

    def save_then_stop(run: Run[Any]) -> None:
        kept(run)
        raise Stopped

    monkeypatch.setattr(Run, "save", save_then_stop)
    with pytest.raises(Stopped):
        script.train(data, corpus_folder, tmp_path / "broken", SHORT, SMALL)
    monkeypatch.setattr(Run, "save", kept)
    resumed, _ = script.train(data, corpus_folder, tmp_path / "broken", SHORT, SMALL)
    for one, other in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)
    save_correlation(tmp_path / "c.safetensors", straight, card)
    _, read = load_correlation(tmp_path / "c.safetensors", torch.device("cpu"))
    assert set(read) == {"licence", "data", "minutes", "settings", "figures"}
    assert read["figures"]["grid_s1 brow"]["network"] > 0


def test_what_is_missing_is_named_with_its_remedy(tmp_path: Path) -> None:
    words = [
        sys.executable,
        "-m",
        "cstalk_bridge.models.training.correlation",
        "--cache",
        str(tmp_path),
    ]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("make the training set first")
