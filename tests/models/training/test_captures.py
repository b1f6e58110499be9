"""ARKit curves land on the channels that they mean, and nothing else is claimed."""

from __future__ import annotations

import numpy as np
import pytest

from models.board import AUDIO_DRIVEN, CHANNELS, INDEX
from models.training.captures import TABLE, above_rest, board_of, observed_by


def board(**scores: float) -> dict[str, float]:
    values = board_of({name: np.array([value], np.float32) for name, value in scores.items()})
    return dict(zip(AUDIO_DRIVEN, values[0].tolist(), strict=True))


def test_a_jaw_and_a_left_smile_land_where_they_belong() -> None:
    face = board(jawOpen=0.4, mouthSmileLeft=0.8, notAnArkitName=1.0)
    assert face.pop("CTRL_C_jaw.ty") == pytest.approx(0.4)
    assert face.pop("CTRL_L_mouth_cornerPull.ty") == pytest.approx(0.8)
    assert not any(face.values())


def test_opposite_curves_share_a_slider() -> None:
    assert board(mouthLeft=0.5)["CTRL_C_mouth.tx"] == pytest.approx(0.5)
    assert board(mouthRight=0.5)["CTRL_C_mouth.tx"] == pytest.approx(-0.5)
    assert board(eyeWideLeft=0.5)["CTRL_L_eye_blink.ty"] == pytest.approx(-0.5)


def test_lips_together_is_the_part_of_the_jaw_that_the_lips_take_back() -> None:
    assert board(mouthClose=0.2, jawOpen=0.4)["CTRL_R_mouth_lipsTogetherU.ty"] == pytest.approx(0.5)
    assert board(mouthClose=0.4, jawOpen=0.01)["CTRL_L_mouth_lipsTogetherD.ty"] == 1.0


def test_values_stay_on_the_board() -> None:
    face = board(**{arkit: 1.7 for arkit, _, _ in TABLE})
    for name, value in face.items():
        assert CHANNELS[INDEX[name]].minimum <= value <= CHANNELS[INDEX[name]].maximum


def test_a_channel_is_observed_only_with_all_that_moves_it() -> None:
    def observed(*names: str) -> set[str]:
        return {AUDIO_DRIVEN[column] for column in np.flatnonzero(observed_by(names))}

    pucker = observed("mouthPucker")
    assert "CTRL_L_mouth_purseU.ty" in pucker
    assert "CTRL_L_mouth_funnelU.ty" not in pucker
    assert "CTRL_L_mouth_funnelU.ty" in observed("mouthPucker", "mouthFunnel")
    assert observed("jawOpen") == {"CTRL_C_jaw.ty"}
    assert "CTRL_L_mouth_lipsTogetherU.ty" in observed("jawOpen", "mouthClose")


def test_rest_is_taken_away() -> None:
    curve = np.array([[0.2]] * 5 + [[0.7]] * 5 + [[0.1]], dtype=np.float32)
    assert above_rest(curve)[:, 0] == pytest.approx([0.0] * 5 + [0.5] * 5 + [0.0])
