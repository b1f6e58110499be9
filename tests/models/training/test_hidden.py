"""What is hidden, what counts as error, and the rivals' guesses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from models.board import AUDIO_DRIVEN
from models.correlation import RegionCorrelation, Sizes, Windows
from models.emotions import EMOTIONS
from models.regions import COLUMNS, REGIONS
from models.training.hidden import MEMBER, hidden_error, hide
from models.training.rivals import figures, linear_start

ONES = torch.ones(len(AUDIO_DRIVEN))


def windows(values: torch.Tensor) -> Windows:
    batch = len(values)
    seen = torch.ones(batch, len(AUDIO_DRIVEN), dtype=torch.bool)
    felt = torch.ones(batch, dtype=torch.bool)
    return Windows(values, seen, torch.zeros(batch, len(EMOTIONS)), felt)


def test_something_is_hidden_and_something_observed_stays_in_sight() -> None:
    faces = windows(torch.zeros(200, 10, len(AUDIO_DRIVEN)))
    faces.observed[:, list(COLUMNS["nose"])] = False
    hidden = hide(faces, np.random.default_rng(1))
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
    wrong_elsewhere = torch.ones(1, 10, len(AUDIO_DRIVEN)) * ~MEMBER[REGIONS.index("brow")]
    assert hidden_error(wrong_elsewhere, faces, hidden, ONES) == 0.0
    wrong = torch.ones_like(wrong_elsewhere)
    assert hidden_error(wrong, faces, hidden, ONES) == pytest.approx(1.0)
    seen = faces.observed.clone()
    seen[:, COLUMNS["brow"][0]] = False
    wrong[..., COLUMNS["brow"][0]] = 9.0
    partly = dataclasses.replace(faces, observed=seen)
    assert hidden_error(wrong, partly, hidden, ONES) == pytest.approx(1.0)


def test_a_regression_finds_what_is_linear_and_a_constant_does_not() -> None:
    dice = torch.Generator().manual_seed(1)

    def draw(count: int) -> Windows:
        values = torch.zeros(count, 12, len(AUDIO_DRIVEN))
        jaw = torch.rand(count, 12, generator=dice)
        values[..., COLUMNS["jaw_chin"][0]] = jaw
        values[..., COLUMNS["brow"][0]] = 0.5 * jaw
        return windows(values)

    network = RegionCorrelation(Sizes(12, 8, 1, 1), ONES, ONES.bool())
    found = figures(network, draw(40), draw(20), "brow")
    assert found["linear explains"] > 0.95
    assert found["linear"] < 0.2 * found["mean"]
    assert set(found) >= {"median", "network", "network explains"}
    assert figures(network, draw(4), draw(4), "nose") == {}


def test_the_shortcut_starts_at_what_is_linear_between_regions() -> None:
    dice = torch.Generator().manual_seed(1)
    values = torch.zeros(40, 12, len(AUDIO_DRIVEN))
    jaw, brow, nose = (COLUMNS[region][0] for region in ("jaw_chin", "brow", "nose"))
    values[..., jaw] = torch.rand(40, 12, generator=dice)
    values[..., brow] = 0.5 * values[..., jaw]
    values[..., nose] = 0.7
    faces = windows(values)
    faces.observed[:20, nose] = False
    start = linear_start(faces, 2 * ONES)
    assert start[brow, jaw] == pytest.approx(0.5, abs=0.05)
    for member in MEMBER:
        own = member.repeat(2)
        assert start[member][:, own].abs().max() == 0.0
    sight = torch.cat((values[30:, :1] / 2 * (torch.arange(81) != nose), torch.ones(10, 1, 81)), -1)
    assert (sight @ start.T)[..., nose] * 2 == pytest.approx(0.7, abs=0.02)
