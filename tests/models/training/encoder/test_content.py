"""The teacher is asked for what does not depend on where in a recording a sound stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from models.training.encoder.content import content_directions, fit_content, moved
from models.training.encoder.whisper import WIDTH, positions, read

if TYPE_CHECKING:
    from pathlib import Path

WIDE, SHARED = 12, 5


def test_directions_that_agree_are_found_in_any_mixture() -> None:
    random = np.random.default_rng(0)
    mixture, _ = np.linalg.qr(random.normal(size=(WIDE, WIDE)))
    content = random.normal(size=(4000, SHARED)) * (1.0, 2.0, 0.7, 1.0, 3.0)
    sides = [
        np.hstack((content, 5 * random.normal(size=(4000, WIDE - SHARED)))) @ mixture
        for _ in range(2)
    ]
    found = content_directions(*sides)
    assert found.shape == (WIDE, SHARED)
    here, there = (side @ found for side in sides)
    assert np.allclose(here, there, atol=0.15)
    assert abs(here.var(0).mean() - 1) < 0.1
    said = np.linalg.lstsq(here, content, rcond=None)[0]
    assert np.allclose(here @ said, content, atol=0.3)


def test_moved_to_the_first_row_nothing_changes(checkpoint: Path) -> None:
    sound = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)
    teacher = read(checkpoint)
    with torch.no_grad():
        layer = teacher(torch.from_numpy(sound))[-1]
    here = (layer - positions(len(layer))).numpy()
    assert np.abs(moved(teacher, sound, 0) - here).max() < 1e-4
    assert np.abs(moved(teacher, sound, 300) - here).max() > 0.1


def test_it_is_fitted_to_sounds_and_to_a_scale(checkpoint: Path) -> None:
    random = np.random.default_rng(2)
    teacher = read(checkpoint)
    sounds = [random.normal(0, 0.1, 32_000).astype(np.float32) for _ in range(4)]
    clips = [(sound, moved(teacher, sound, 0)) for sound in sounds]
    spread = np.ones(WIDTH, np.float32)
    directions = fit_content(teacher, clips, spread)
    assert directions.shape[0] == WIDTH
    assert 1 < directions.shape[1] < WIDTH
    doubled = fit_content(teacher, clips, 2 * spread)
    assert torch.isfinite(doubled).all()
