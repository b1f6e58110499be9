"""A closure that is asked for and missed costs more than one too many, and nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from models.board import AUDIO_DRIVEN
from models.training.batches import Corpus
from models.training.loss import ASKED, UNDERSHOOT, Loss
from models.training.rules import GESTURES

if TYPE_CHECKING:
    from pathlib import Path

CLOSER = AUDIO_DRIVEN.index("CTRL_L_mouth_lipsTogetherU.ty")


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


def test_lips_nobody_asks_to_close_are_judged_alike_on_both_sides(loss: Loss) -> None:
    assert off_by(loss, ASKED / 2, -0.1) == pytest.approx(off_by(loss, ASKED / 2, 0.1))


def test_what_nobody_observed_costs_nothing(loss: Loss) -> None:
    assert off_by(loss, 0.9, 0.5, observed=False) == 0.0
