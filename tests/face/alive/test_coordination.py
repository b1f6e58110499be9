import numpy as np
import pytest

from bridge.face.alive.coordination import CHEEK_SHARE, SQUINT_SHARE, coordinate
from bridge.frame import neutral_board
from models.board import INDEX


def test_eyes_take_part_in_a_smile_on_its_side() -> None:
    board = neutral_board()
    board[INDEX["CTRL_L_mouth_cornerPull.ty"]] = 0.8
    board[INDEX["CTRL_R_eye_cheekRaise.ty"]] = 0.3
    joined = coordinate(board)
    assert joined[INDEX["CTRL_L_eye_cheekRaise.ty"]] == pytest.approx(0.8 * CHEEK_SHARE)
    assert joined[INDEX["CTRL_L_eye_squintInner.ty"]] == pytest.approx(0.8 * SQUINT_SHARE)
    assert joined[INDEX["CTRL_R_eye_cheekRaise.ty"]] == np.float32(0.3)
    assert joined[INDEX["CTRL_R_eye_squintInner.ty"]] == 0.0
    assert np.count_nonzero(board - neutral_board()) == 2


def test_a_face_that_does_so_by_itself_stays_as_it_is() -> None:
    board = neutral_board()
    board[INDEX["CTRL_L_mouth_cornerPull.ty"]] = 0.4
    board[INDEX["CTRL_L_eye_cheekRaise.ty"]] = 0.6
    board[INDEX["CTRL_L_eye_squintInner.ty"]] = 0.5
    np.testing.assert_array_equal(coordinate(board), board)


def test_strength_scales_what_a_smile_adds_and_none_adds_nothing() -> None:
    board = neutral_board()
    board[INDEX["CTRL_L_mouth_cornerPull.ty"]] = 0.8
    np.testing.assert_array_equal(coordinate(board, 0.0), board)
    half = coordinate(board, 0.5)[INDEX["CTRL_L_eye_cheekRaise.ty"]]
    assert half == pytest.approx(0.4 * CHEEK_SHARE)
    most = coordinate(board, 2.0)[INDEX["CTRL_L_eye_cheekRaise.ty"]]
    assert most == pytest.approx(CHEEK_SHARE)
