"""Tracked action units become sliders above each actor's own rest."""

from __future__ import annotations

import numpy as np
import pytest

from models.board import AUDIO_DRIVEN
from models.training.action_units import GAINS, OBSERVED_CHANNELS, ActionUnits, emotion_of

NAMES = [*(f"{unit}_r" for unit in GAINS), "AU45_r", "AU12_c"]
HAPPY, NEUTRAL = "03-01-03-02-01-01-04", "03-01-01-01-01-01-04"


def archive(happy: dict[str, float], rest: float = 0.5) -> dict[str, object]:
    neutral = np.full((60, len(NAMES)), rest, dtype=np.float16)
    smiling = neutral.copy()
    for name, value in happy.items():
        smiling[:, NAMES.index(name)] = value
    return {"names": np.array(NAMES), HAPPY: smiling, NEUTRAL: neutral}


def channel(board: np.ndarray, name: str) -> np.ndarray:
    return board[10:90, AUDIO_DRIVEN.index(name)]


def test_a_smile_pulls_both_corners_and_nothing_else() -> None:
    board = ActionUnits(archive({"AU12_r": 3.0, "AU45_r": 5.0})).channels(HAPPY, 100)
    assert board is not None
    assert channel(board, "CTRL_L_mouth_cornerPull.ty") == pytest.approx(0.5, abs=0.01)
    assert channel(board, "CTRL_R_mouth_cornerPull.ty") == pytest.approx(0.5, abs=0.01)
    others = [i for i, name in enumerate(AUDIO_DRIVEN) if "cornerPull" not in name]
    assert np.abs(board[:, others]).max() == 0.0


def test_units_of_one_slider_add_up_within_its_range() -> None:
    board = ActionUnits(archive({"AU25_r": 5.0, "AU26_r": 5.0, "AU05_r": 5.0}, 0.0)).channels(
        HAPPY, 100
    )
    assert board is not None
    assert channel(board, "CTRL_C_jaw.ty") == pytest.approx(1.0, abs=0.01)
    assert channel(board, "CTRL_L_eye_blink.ty") == pytest.approx(-1.0, abs=0.01)


def test_rest_is_a_still_face_and_an_untracked_clip_has_none() -> None:
    units = ActionUnits(archive({}))
    board = units.channels(NEUTRAL, 100)
    assert board is not None
    assert np.abs(board).max() == 0.0
    assert units.channels("03-01-03-02-01-01-09", 100) is None


def test_what_units_tell_about_is_masked_by_the_same_table() -> None:
    observed = {name for name, seen in zip(AUDIO_DRIVEN, OBSERVED_CHANNELS, strict=True) if seen}
    assert {"CTRL_C_jaw.ty", "CTRL_L_brow_down.ty", "CTRL_R_mouth_stretch.ty"} <= observed
    assert not any("tongue" in name or "lipsTogether" in name for name in observed)


@pytest.mark.parametrize(
    ("stem", "emotion"),
    [
        (HAPPY, {"happy": 1.0}),
        ("03-01-05-01-02-02-11", {"angry": 0.6}),
        (NEUTRAL, {"neutral": 1.0}),
        ("03-01-02-01-01-01-04", None),
    ],
)
def test_the_file_name_says_what_was_played(stem: str, emotion: dict[str, float] | None) -> None:
    assert emotion_of(stem) == emotion
