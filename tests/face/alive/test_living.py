import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from bridge.face.alive.living import Living, additions
from bridge.frame import neutral_board, neutral_head
from models.board import CHANNELS, INDEX

LOW = np.array([channel.minimum for channel in CHANNELS], dtype=np.float32)
HIGH = np.array([channel.maximum for channel in CHANNELS], dtype=np.float32)


def living(
    *,
    eyes_deg: tuple[float, float] = (0.0, 0.0),
    lids: float = 0.0,
    closure: float = 0.0,
    raised: float = 0.0,
) -> Living:
    added = additions(eyes_deg=eyes_deg, lids=lids, closure=closure, raised=raised)
    return Living(added, closure, neutral_head(), eyes_deg, is_mutual=True)


def test_eyes_turn_to_the_characters_left_and_up_in_shares_of_their_travel() -> None:
    board = living(eyes_deg=(20.0, 15.0)).onto(neutral_board())
    for side in "LR":
        assert board[INDEX[f"CTRL_{side}_eye.tx"]] == 0.5
        assert board[INDEX[f"CTRL_{side}_eye.ty"]] == 0.5
    assert np.count_nonzero(board) == 4
    board = living(eyes_deg=(-20.0, -20.0)).onto(neutral_board())
    assert board[INDEX["CTRL_L_eye.tx"]] == board[INDEX["CTRL_L_eye.ty"]] == -0.5


@pytest.mark.parametrize("open_", [-0.4, 0.0, 0.3])
def test_a_blink_shuts_a_lid_from_wherever_it_is(open_: float) -> None:
    blink = INDEX["CTRL_L_eye_blink.ty"]
    board = neutral_board()
    board[blink] = open_
    assert living(closure=1.0).onto(board)[blink] == pytest.approx(1.0)
    assert living(closure=0.5).onto(board)[blink] == pytest.approx((1.0 + open_) / 2)
    assert living().onto(board)[blink] == np.float32(open_)


def test_raised_brows_rise_on_both_sides() -> None:
    board = living(raised=0.2).onto(neutral_board())
    assert board[INDEX["CTRL_L_brow_raiseOut.ty"]] == np.float32(0.2)
    assert board[INDEX["CTRL_R_brow_raiseOut.ty"]] == np.float32(0.2)
    assert 0.0 < board[INDEX["CTRL_L_brow_raiseIn.ty"]] < 0.2


@given(
    arrays(np.float32, len(CHANNELS), elements=st.floats(0, 1, width=32)),
    st.tuples(st.floats(-180, 180), st.floats(-180, 180)),
    st.floats(-0.12, 0.45),
    st.floats(0, 1),
    st.floats(0, 2),
)
def test_no_life_leaves_the_range_of_the_board_or_writes_to_it(
    shares: NDArray[np.float32],
    eyes_deg: tuple[float, float],
    lids: float,
    closure: float,
    raised: float,
) -> None:
    board = LOW + shares * (HIGH - LOW)
    before = board.copy()
    alive = living(eyes_deg=eyes_deg, lids=lids, closure=closure, raised=raised).onto(board)
    np.testing.assert_array_equal(board, before)
    assert alive.dtype == np.float32
    assert np.all((alive >= LOW) & (alive <= HIGH))
