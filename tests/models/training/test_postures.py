"""Emotions show in the targets and never part lips that a bilabial closes."""

from __future__ import annotations

import pytest
import torch

from models.board import AUDIO_DRIVEN
from models.emotions import CONDITIONS, EMOTIONS, MOUTH_GUARD
from models.training.postures import POSTURES, SILENT_SHARE, face_targets
from models.training.rules import GESTURES
from models.training.swells import SWELLS

NAMES = list(AUDIO_DRIVEN)


def face(
    emotion: str,
    *,
    stress: float = 0.0,
    swell: float = 1.0,
    guard: float = MOUTH_GUARD,
    **gestures: float,
) -> dict[str, float]:
    row = torch.zeros(1, 1, len(GESTURES))
    for name, value in gestures.items():
        row[0, 0, list(GESTURES).index(name)] = value
    conditions = torch.zeros(1, len(CONDITIONS))
    conditions[0, EMOTIONS.index(emotion)], conditions[0, -1] = 1.0, guard
    swells = torch.full((1, 1, len(SWELLS)), swell)
    values = face_targets(row, torch.full((1, 1), stress), swells, conditions)
    return dict(zip(NAMES, values[0, 0].tolist(), strict=True))


def test_a_happy_face_smiles_and_an_angry_one_frowns() -> None:
    assert face("happy")["CTRL_L_mouth_cornerPull.ty"] > 0.4
    assert face("angry")["CTRL_R_brow_down.ty"] > 0.3
    assert max(map(abs, face("neutral").values())) == 0.0


def test_every_emotion_has_a_posture_of_its_own() -> None:
    for index, name in enumerate(EMOTIONS):
        assert (POSTURES[index].abs().sum() > 0) == (name != "neutral")


def test_an_emotion_does_not_part_closed_lips() -> None:
    closed = face("disgusted", lips_together=1.0)
    assert closed["CTRL_L_mouth_upperLipRaise.ty"] == 0.0
    assert closed["CTRL_L_mouth_lipsTogetherU.ty"] == 1.0


def test_neighbouring_phones_do_not_part_closed_lips() -> None:
    closed = face("neutral", lips_together=1.0, lower_depress=0.3, upper_raise=0.2, jaw=0.1)
    assert closed["CTRL_L_mouth_lowerLipDepress.ty"] == closed["CTRL_R_mouth_upperLipRaise.ty"] == 0
    assert closed["CTRL_C_jaw.ty"] == pytest.approx(0.1)
    half = face("neutral", lips_together=0.5, lower_depress=0.3)
    assert half["CTRL_L_mouth_lowerLipDepress.ty"] == pytest.approx(0.15)


def test_the_mouth_guard_says_how_much_of_a_smile_speech_takes() -> None:
    def smile(stress: float, guard: float) -> float:
        return face("happy", stress=stress, guard=guard)["CTRL_L_mouth_cornerPull.ty"]

    assert smile(1.0, 0.4) == pytest.approx(0.6 * smile(0.0, 0.4))
    assert smile(1.0, 0.0) == smile(0.0, 1.0)
    assert smile(1.0, 1.0) == 0.0
    brows = [face("angry", stress=1.0, guard=guard)["CTRL_L_brow_down.ty"] for guard in (0.0, 1.0)]
    assert brows[0] == brows[1] > 0.3


def test_an_emotion_shows_more_once_somebody_spoke() -> None:
    before, after = (face("sad", swell=swell)["CTRL_L_brow_raiseIn.ty"] for swell in (0.0, 1.0))
    assert before == pytest.approx(SILENT_SHARE * after)


def test_the_left_side_shows_a_little_more() -> None:
    happy = face("happy")
    left, right = (happy[f"CTRL_{side}_mouth_cornerPull.ty"] for side in "LR")
    assert right < left < 1.15 * right
