import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from bridge.face.alive.living import LID_LOWER_LIMIT, NUMBERS, Living, lay
from bridge.face.alive.regions import UPPER_REGIONS
from bridge.frame import neutral_board, neutral_head
from models.board import CHANNELS, INDEX

LOW = np.array([channel.minimum for channel in CHANNELS], dtype=np.float32)
HIGH = np.array([channel.maximum for channel in CHANNELS], dtype=np.float32)


def living(
    *,
    eyes_deg: tuple[float, float] = (0.0, 0.0),
    closure: float = 0.0,
    raised: float = 0.0,
    swell: float = 0.0,
) -> Living:
    return Living(eyes_deg, closure, raised, swell, neutral_head(), eyes_deg, is_mutual=True)


def test_eyes_turn_to_the_characters_left_and_up_in_shares_of_their_travel() -> None:
    board = living(eyes_deg=(20.0, 15.0)).onto(neutral_board())
    for side in "LR":
        assert board[INDEX[f"CTRL_{side}_eye.tx"]] == 0.5
        assert board[INDEX[f"CTRL_{side}_eye.ty"]] == 0.5
    board = living(eyes_deg=(-20.0, -20.0)).onto(neutral_board())
    assert board[INDEX["CTRL_L_eye.tx"]] == board[INDEX["CTRL_L_eye.ty"]] == -0.5


def test_lids_go_with_the_eyes_up_and_down() -> None:
    lids = [
        living(eyes_deg=(0.0, pitch)).onto(neutral_board())[INDEX["CTRL_R_eye_blink.ty"]]
        for pitch in (6.0, 0.0, -10.0, -90.0)
    ]
    assert lids[0] < lids[1] == 0.0 < lids[2] < lids[3]
    assert lids[3] == np.float32(LID_LOWER_LIMIT)


def test_many_rows_are_laid_as_one_after_the_other() -> None:
    random = np.random.default_rng(4)
    boards = random.uniform(LOW, HIGH, (20, len(CHANNELS))).astype(np.float32)
    low, high = (-50, -50, 0, 0, -0.5), (50, 50, 1, 1, 0.5)
    numbers = random.uniform(low, high, (20, NUMBERS)).astype(np.float32)
    one_by_one = [
        living(eyes_deg=(yaw, pitch), closure=shut, raised=up, swell=swell).onto(board)
        for board, (yaw, pitch, shut, up, swell) in zip(boards, numbers.tolist(), strict=True)
    ]
    np.testing.assert_allclose(lay(boards, numbers), one_by_one, atol=1e-6)


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


def test_what_is_held_above_the_mouth_swells_and_lids_do_not() -> None:
    board = np.full(len(CHANNELS), 0.5, dtype=np.float32)
    swelled = living(swell=0.1).onto(board)
    for channel in CHANNELS:
        is_lid = channel.name.endswith("eye_blink.ty")
        swells = channel.region in UPPER_REGIONS and not is_lid and not channel.rest
        expected = 0.55 if swells else 0.5
        assert swelled[channel.index] == pytest.approx(expected), channel.name


@given(
    arrays(np.float32, len(CHANNELS), elements=st.floats(0, 1, width=32)),
    st.tuples(st.floats(-180, 180), st.floats(-180, 180)),
    st.floats(0, 1),
    st.floats(0, 2),
    st.floats(-2, 2),
)
def test_no_life_leaves_the_range_of_the_board_or_writes_to_it(
    shares: NDArray[np.float32],
    eyes_deg: tuple[float, float],
    closure: float,
    raised: float,
    swell: float,
) -> None:
    board = LOW + shares * (HIGH - LOW)
    before = board.copy()
    alive = living(eyes_deg=eyes_deg, closure=closure, raised=raised, swell=swell).onto(board)
    np.testing.assert_array_equal(board, before)
    assert alive.dtype == np.float32
    assert np.all((alive >= LOW) & (alive <= HIGH))
