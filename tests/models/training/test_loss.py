"""A missed closure costs more than a false one, and nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.training.corpus import Corpus
from cstalk_bridge.models.training.loss import (
    DEMANDED,
    EXCESS,
    OPEN,
    RESTING,
    UNDERSHOOT,
    Loss,
)
from cstalk_bridge.models.training.rules import GESTURES

if TYPE_CHECKING:
    from pathlib import Path

CLOSER = AUDIO_DRIVEN.index("CTRL_L_mouth_lipsTogetherU.ty")
PARTER = AUDIO_DRIVEN.index("CTRL_L_mouth_upperLipRaise.ty")
JAW = AUDIO_DRIVEN.index("CTRL_C_jaw.ty")
CLOSERS = [i for i, name in enumerate(AUDIO_DRIVEN) if "lipsTogether" in name]


@pytest.fixture
def loss(corpus_folder: Path) -> Loss:
    return Loss(Corpus(corpus_folder, "train"), torch.device("cpu"))


def off_by(loss: Loss, wanted: float, error: float, *, observed: bool = True) -> float:
    """The loss of a steady face that is off in one lip channel."""
    targets = torch.zeros(1, 5, len(AUDIO_DRIVEN))
    targets[..., CLOSER] = wanted
    faces = targets.clone()
    faces[..., CLOSER] += error
    seen = torch.full((1, len(GESTURES)), observed)
    return float(loss(faces, targets, seen))


def test_a_closure_that_falls_short_counts_more(loss: Loss) -> None:
    short, over = off_by(loss, 0.9, -0.1), off_by(loss, 0.9, 0.1)
    assert short == pytest.approx(UNDERSHOOT["lips_together"] * over)


def test_lips_without_a_closure_cost_alike_on_both_sides(loss: Loss) -> None:
    assert off_by(loss, DEMANDED / 2, -0.1) == pytest.approx(off_by(loss, DEMANDED / 2, 0.1))


def uneven(loss: Loss, channel: int, wanted: dict[int, float]) -> float:
    """How much more too much of `channel` costs than too little, around the face `wanted`."""
    targets = torch.zeros(1, 5, len(AUDIO_DRIVEN))
    for other, value in wanted.items():
        targets[..., other] = value
    seen = torch.full((1, len(GESTURES)), fill_value=True)
    costs = []
    for error in (0.1, -0.1):
        faces = targets.clone()
        faces[..., channel] += error
        costs.append(float(loss(faces, targets, seen)))
    return costs[0] / costs[1]


def test_lips_that_touch_should_not_part(loss: Loss) -> None:
    shut = dict.fromkeys(CLOSERS, 1.0)
    assert uneven(loss, PARTER, shut) == pytest.approx(EXCESS)
    assert uneven(loss, PARTER, {}) == pytest.approx(1.0)


def test_errors_of_jaw_and_lips_that_make_up_for_each_other_cost_less(loss: Loss) -> None:
    targets = torch.zeros(1, 5, len(AUDIO_DRIVEN))
    targets[..., JAW], targets[..., CLOSERS] = 0.2, 0.35
    seen = torch.full((1, len(GESTURES)), fill_value=True)
    alike, opposed = targets.clone(), targets.clone()
    alike[..., JAW], alike[..., CLOSERS] = 0.22, 0.385
    opposed[..., JAW], opposed[..., CLOSERS] = 0.22, 0.315
    assert float(loss(opposed, targets, seen)) < float(loss(alike, targets, seen))


def test_lips_should_not_touch_over_an_open_jaw(loss: Loss) -> None:
    assert uneven(loss, CLOSER, {JAW: 1.01 * OPEN}) > 1.5
    assert uneven(loss, CLOSER, {JAW: OPEN / 2}) == pytest.approx(1.0)


def test_a_resting_jaw_should_not_stir(loss: Loss) -> None:
    assert uneven(loss, JAW, {JAW: RESTING / 2}) == pytest.approx(EXCESS)
    assert uneven(loss, JAW, {JAW: 2 * RESTING}) == pytest.approx(1.0)


def test_resting_lips_should_not_press(loss: Loss) -> None:
    assert uneven(loss, CLOSER, {}) == pytest.approx(EXCESS)
    assert uneven(loss, CLOSER, {JAW: 2 * RESTING}) == pytest.approx(1.0)


def test_a_mouth_that_trembles_costs_more_than_one_that_drifts(loss: Loss) -> None:
    targets = torch.zeros(1, 8, len(AUDIO_DRIVEN))
    targets[..., JAW] = OPEN / 2
    seen = torch.full((1, len(GESTURES)), fill_value=True)
    costs = []
    for errors in ((1, -1, 1, -1, 1, -1, 1, -1), (1, 1, 1, 1, -1, -1, -1, -1)):
        faces = targets.clone()
        faces[0, :, JAW] += 0.05 * torch.tensor(errors)
        costs.append(float(loss(faces, targets, seen)))
    assert costs[0] > 8 * costs[1]


def test_what_nobody_observed_costs_nothing(loss: Loss) -> None:
    assert off_by(loss, 0.9, 0.5, observed=False) == 0.0
