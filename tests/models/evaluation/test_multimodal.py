from __future__ import annotations

import numpy as np
import pytest

from cstalk_bridge.models.board import AUDIO_DRIVEN, CHANNEL_INDEX, CHANNELS
from cstalk_bridge.models.evaluation.multimodal import (
    UNITS,
    MultimodalClip,
    gaze_features,
    head_features,
    units_of,
)
from cstalk_bridge.models.training.captured_faces import ACTION_UNIT_GAINS, FULL_INTENSITY

ROWS = 1500


def still() -> MultimodalClip:
    return MultimodalClip(
        np.zeros((ROWS, len(CHANNELS)), np.float32),
        np.zeros((ROWS, 6), np.float32),
        np.zeros((ROWS, 2), np.float32),
    )


def test_windows_are_whole_and_the_rest_is_dropped() -> None:
    face = still()
    longer = MultimodalClip(face.board[:1499], face.head[:1499], face.gaze_deg[:1499])
    assert [len(window.board) for window in face.windows()] == [500, 500, 500]
    assert len(longer.windows()) == 2


def test_the_manner_of_a_gaze_counts_shifts_blinks_and_looks_at_the_partner() -> None:
    gaze = np.zeros((1500, 2), np.float32)
    gaze[500:1000] = (10.0, -5.0)
    shut = np.zeros(1500, np.float32)
    shut[[100, 101, 600]] = 1.0
    pitch, yaw_spread, _, mutual, shifts, blinks = gaze_features(gaze, shut, 50.0)
    assert pitch == pytest.approx(-5 / 3)
    assert yaw_spread == pytest.approx(10 * np.sqrt(2) / 3)
    assert mutual == pytest.approx(2 / 3)
    assert shifts == pytest.approx(4)
    assert blinks == pytest.approx(4)


def test_a_tilt_to_either_side_is_the_same() -> None:
    head = np.zeros((500, 6), np.float32)
    head[:, 2] = 0.1
    np.testing.assert_allclose(head_features(head, 50.0), head_features(-head, 50.0))
    assert head_features(head, 50.0)[1] == pytest.approx(0.1)


def test_a_head_may_rest_elsewhere() -> None:
    rest = np.array([0.0, 0.05, 0.0, 0.0, 0.0, 2.0], np.float32)
    moved = still().with_head_offset(rest).nonverbal_features() - still().nonverbal_features()
    assert moved[6] == pytest.approx(0.05)
    assert moved[8] == pytest.approx(2.0)
    assert np.count_nonzero(np.abs(moved) > 1e-6) == 2


def test_units_are_those_of_the_board() -> None:
    face = still()
    for side in "LR":
        face.board[:, CHANNEL_INDEX[f"CTRL_{side}_brow_raiseIn.ty"]] = 0.5
    units = face.units()
    assert units.argmax() == 0
    assert units[0] == pytest.approx(2.5, abs=0.1)


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit not in ("AU25", "AU26")])
def test_a_unit_at_full_strength_shows_as_itself_alone(unit: str) -> None:
    shown = units_of(ACTION_UNIT_GAINS[unit][None])[0]
    assert shown[UNITS.index(unit)] == pytest.approx(FULL_INTENSITY)
    assert np.delete(shown, UNITS.index(unit)).max() == 0.0


def test_parted_lips_and_a_dropped_jaw_share_the_jaw() -> None:
    face = np.zeros((1, len(AUDIO_DRIVEN)), dtype=np.float32)
    face[0, AUDIO_DRIVEN.index("CTRL_C_jaw.ty")] = 0.4
    shown = units_of(face)[0]
    assert shown[[UNITS.index("AU25"), UNITS.index("AU26")]] == pytest.approx([2.0, 2.0])


def test_one_side_shows_half_and_no_unit_leaves_its_scale() -> None:
    face = np.zeros((2, len(AUDIO_DRIVEN)), dtype=np.float32)
    face[0, AUDIO_DRIVEN.index("CTRL_L_mouth_cornerPull.ty")] = 1.0
    face[1, [AUDIO_DRIVEN.index(f"CTRL_{side}_eye_blink.ty") for side in "LR"]] = 1.0
    shown = units_of(face)
    assert shown[0, UNITS.index("AU12")] == pytest.approx(2.5)
    assert shown[1].max() == 0.0
