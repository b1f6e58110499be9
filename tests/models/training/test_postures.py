"""Emotions show in the targets and never part lips that a bilabial closes."""

from __future__ import annotations

import torch

from models.board import AUDIO_DRIVEN
from models.emotions import EMOTIONS
from models.training.postures import POSTURES, face_targets
from models.training.rules import GESTURES

NAMES = list(AUDIO_DRIVEN)


def face(emotion: str, **gestures: float) -> dict[str, float]:
    row = torch.zeros(1, 1, len(GESTURES))
    for name, value in gestures.items():
        row[0, 0, list(GESTURES).index(name)] = value
    weights = torch.zeros(1, len(EMOTIONS))
    weights[0, EMOTIONS.index(emotion)] = 1.0
    values = face_targets(row, torch.zeros(1, 1), weights)[0, 0]
    return dict(zip(NAMES, values.tolist(), strict=True))


def test_a_happy_face_smiles_and_an_angry_one_frowns() -> None:
    assert face("happy")["CTRL_L_mouth_cornerPull.ty"] > 0.4
    assert face("angry")["CTRL_R_brow_down.ty"] > 0.5
    assert max(map(abs, face("neutral").values())) == 0.0


def test_every_emotion_has_a_posture_of_its_own() -> None:
    for index, name in enumerate(EMOTIONS):
        assert (POSTURES[index].abs().sum() > 0) == (name != "neutral")


def test_an_emotion_does_not_part_closed_lips() -> None:
    closed = face("disgusted", lips_together=1.0)
    assert closed["CTRL_L_mouth_upperLipRaise.ty"] == 0.0
    assert closed["CTRL_L_mouth_lipsTogetherU.ty"] == 1.0


def test_speech_pushes_a_smile_aside_but_not_away() -> None:
    at_rest, speaking = (face("happy", jaw=jaw)["CTRL_L_mouth_cornerPull.ty"] for jaw in (0.0, 0.6))
    assert 0.3 * at_rest < speaking < 0.8 * at_rest
