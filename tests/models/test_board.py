"""Regions share out the audio-driven channels; their correlation separates coupled from free
motion.
"""

from __future__ import annotations

import numpy as np
import pytest

from cstalk_bridge.models.board import (
    AUDIO_DRIVEN,
    MOUTH,
    REGION_COLUMNS,
    REGION_OF,
    REGIONS,
    UPPER,
    columns_of,
    mouth_close,
    opening,
    pucker,
    region_correlation,
    region_distance,
)
from cstalk_bridge.models.board import JAW as BOARD_JAW

BROW, JAW = REGIONS.index("brow"), REGIONS.index("jaw_chin")


def test_every_audio_driven_channel_is_in_exactly_one_region() -> None:
    columns = sorted(column for region in REGIONS for column in REGION_COLUMNS[region])
    assert columns == list(range(len(AUDIO_DRIVEN)))


@pytest.mark.parametrize(
    ("channel", "region"),
    [
        ("CTRL_L_eye_cheekRaise.ty", "eyelid_cheek"),
        ("CTRL_R_mouth_lipsTogetherU.ty", "mouth_upper"),
        ("CTRL_R_mouth_lipsTogetherD.ty", "mouth_lower"),
        ("CTRL_L_mouth_cornerPull.ty", "mouth_upper"),
        ("CTRL_L_mouth_cornerDepress.ty", "mouth_lower"),
        ("CTRL_C_mouth.tx", "mouth_lower"),
        ("CTRL_L_jaw_ChinRaiseD.ty", "jaw_chin"),
        ("CTRL_L_nose_nasolabialDeepen.ty", "nose"),
    ],
)
def test_a_channel_lies_where_anatomy_puts_it(channel: str, region: str) -> None:
    assert REGION_OF[channel] == region


def test_both_sides_lie_in_one_region() -> None:
    for name in AUDIO_DRIVEN:
        assert REGION_OF[name] == REGION_OF[name.replace("CTRL_L", "CTRL_R")]


def faces(coupled: bool, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    trajectory = np.zeros((4000, len(AUDIO_DRIVEN)), dtype=np.float32)
    jaw = random.normal(0, 0.2, len(trajectory))
    trajectory[:, AUDIO_DRIVEN.index("CTRL_C_jaw.ty")] = jaw
    brow = jaw if coupled else random.normal(0, 0.2, len(trajectory))
    trajectory[:, AUDIO_DRIVEN.index("CTRL_L_brow_raiseIn.ty")] = brow
    return trajectory


def test_coupled_regions_correlate_and_free_ones_do_not() -> None:
    coupled, free = (region_correlation([faces(c)]) for c in (True, False))
    assert coupled[BROW, JAW] == pytest.approx(1.0)
    assert free[BROW, JAW] < 0.1
    np.testing.assert_allclose(coupled, coupled.T)
    assert region_distance(coupled, free) > 0.9 / 21
    assert region_distance(free, region_correlation([faces(coupled=False, seed=2)])) < 0.01


def test_posture_does_not_count_as_motion() -> None:
    raised = [faces(coupled=False), faces(coupled=False, seed=2) + 0.8]
    assert region_correlation(raised)[BROW, JAW] < 0.1


def test_a_still_region_moves_with_none_and_an_unseen_one_is_unknown() -> None:
    observed = np.ones(len(AUDIO_DRIVEN), dtype=np.bool_)
    observed[list(REGION_COLUMNS["tongue"])] = False
    matrix = region_correlation([faces(coupled=True)], observed)
    nose, tongue = REGIONS.index("nose"), REGIONS.index("tongue")
    assert matrix[nose, JAW] == 0.0
    assert np.isnan(matrix[tongue]).all()
    assert region_distance(matrix, region_correlation([faces(coupled=True)])) == pytest.approx(0.0)


def test_lips_that_meet_shut_an_open_jaw() -> None:
    face = np.zeros((1, len(AUDIO_DRIVEN)), dtype=np.float32)
    face[:, BOARD_JAW] = 0.4
    assert opening(face)[0] == pytest.approx(0.4)
    face[:, columns_of("mouth_lipsTogether")] = 0.75
    assert opening(face)[0] == pytest.approx(0.1)
    assert mouth_close(face)[0] == pytest.approx(0.3)
    assert pucker(face)[0] == 0.0


def test_groups_hold_no_tongue_and_nothing_twice() -> None:
    names = [AUDIO_DRIVEN[i] for i in (*MOUTH, *UPPER)]
    assert len(set(names)) == len(names)
    assert not [name for name in names if "tongue" in name]


def test_a_slider_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="mouth_whistle"):
        columns_of("mouth_whistle")
