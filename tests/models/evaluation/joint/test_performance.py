from __future__ import annotations

import numpy as np
import pytest

from models.board import CHANNELS, INDEX
from models.evaluation.joint.performance import Performance, gaze_manner, head_manner

ROWS = 1500


def still() -> Performance:
    return Performance(
        np.zeros((ROWS, len(CHANNELS)), np.float32),
        np.zeros((ROWS, 6), np.float32),
        np.zeros((ROWS, 2), np.float32),
    )


def test_windows_are_whole_and_the_rest_is_dropped() -> None:
    face = still()
    longer = Performance(face.board[:1499], face.head[:1499], face.gaze_deg[:1499])
    assert [len(window.board) for window in face.windows()] == [500, 500, 500]
    assert len(longer.windows()) == 2


def test_the_manner_of_a_gaze_counts_shifts_blinks_and_looks_at_the_partner() -> None:
    gaze = np.zeros((1500, 2), np.float32)
    gaze[500:1000] = (10.0, -5.0)
    shut = np.zeros(1500, np.float32)
    shut[[100, 101, 600]] = 1.0
    pitch, yaw_spread, _, mutual, shifts, blinks = gaze_manner(gaze, shut, 50.0)
    assert pitch == pytest.approx(-5 / 3)
    assert yaw_spread == pytest.approx(10 * np.sqrt(2) / 3)
    assert mutual == pytest.approx(2 / 3)
    assert shifts == pytest.approx(4)
    assert blinks == pytest.approx(4)


def test_a_tilt_to_either_side_is_the_same() -> None:
    head = np.zeros((500, 6), np.float32)
    head[:, 2] = 0.1
    np.testing.assert_allclose(head_manner(head, 50.0), head_manner(-head, 50.0))
    assert head_manner(head, 50.0)[1] == pytest.approx(0.1)


def test_a_head_may_rest_elsewhere() -> None:
    rest = np.array([0.0, 0.05, 0.0, 0.0, 0.0, 2.0], np.float32)
    moved = still().resting(rest).manner() - still().manner()
    assert moved[6] == pytest.approx(0.05)
    assert moved[8] == pytest.approx(2.0)
    assert np.count_nonzero(np.abs(moved) > 1e-6) == 2


def test_units_are_those_of_the_board() -> None:
    face = still()
    for side in "LR":
        face.board[:, INDEX[f"CTRL_{side}_brow_raiseIn.ty"]] = 0.5
    units = face.units()
    assert units.argmax() == 0
    assert units[0] == pytest.approx(2.5, abs=0.1)
