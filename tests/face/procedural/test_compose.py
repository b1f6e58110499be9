from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from cstalk_bridge.document import FieldError
from cstalk_bridge.face.procedural.compose import (
    CHEEK_SHARE,
    LEVEL_NAMES,
    LID_LOWER_LIMIT,
    MOTION_VALUES,
    NO_ANIMATION_LEVELS,
    SQUINT_SHARE,
    Levels,
    ProceduralMotion,
    apply_levels,
    couple_expression,
    overlay,
    read_levels,
)
from cstalk_bridge.frame import neutral_board, neutral_head
from cstalk_bridge.models.board import CHANNEL_INDEX, CHANNELS, MOUTH_REGIONS, UPPER_FACE_REGIONS


@pytest.mark.parametrize("name", [field.name for field in fields(Levels)])
@pytest.mark.parametrize("value", [-0.1, 2.1, float("nan")])
def test_a_level_out_of_range_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Levels(**{name: value})


def test_levels_go_from_off_to_twice_and_symmetry_to_one() -> None:
    names = [field.name for field in fields(Levels)]
    Levels(**dict.fromkeys(names, 0.0))
    Levels(**dict.fromkeys(names[:-1], 2.0), symmetry=1.0)
    with pytest.raises(ValueError, match="symmetry"):
        Levels(symmetry=1.5)


def test_a_face_as_generated_has_no_life_of_its_own() -> None:
    assert NO_ANIMATION_LEVELS.liveliness == 0.0
    assert Levels(gaze=0.0, head=0.0, brows=0.0, idle=0.0, blink=0.5).liveliness == 0.5
    assert Levels(gaze=2.0).liveliness == 1.0


def test_levels_are_read_as_on_the_command_line() -> None:
    assert read_levels(" gaze:0.5, head : 0,") == {"gaze": "0.5", "head": "0"}
    assert read_levels("") == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gaze", "'gaze' is not a level"),
        ("ears:1", "ears:1"),
        ("head:1,head:0", "head is given twice"),
    ],
)
def test_what_is_no_list_of_levels_is_told_with_all_there_are(text: str, words: str) -> None:
    with pytest.raises(FieldError) as caught:
        read_levels(text)
    assert words in caught.value.what
    assert all(part in (caught.value.remedy or "") for part in LEVEL_NAMES)


LOW = np.array([channel.minimum for channel in CHANNELS], dtype=np.float32)
HIGH = np.array([channel.maximum for channel in CHANNELS], dtype=np.float32)


@pytest.fixture
def board() -> NDArray[np.float32]:
    shares = np.random.default_rng(1).uniform(0.2, 0.8, len(CHANNELS)).astype(np.float32)
    return LOW + shares * (HIGH - LOW)


def test_levels_as_made_change_nothing(board: NDArray[np.float32]) -> None:
    assert apply_levels(board, Levels()) is board


@pytest.mark.parametrize(
    ("levels", "regions"),
    [(Levels(mouth=0.5), MOUTH_REGIONS), (Levels(upper_face=0.5), UPPER_FACE_REGIONS)],
)
def test_a_strength_scales_its_regions_only(
    board: NDArray[np.float32], levels: Levels, regions: frozenset[str]
) -> None:
    scaled = apply_levels(board, levels)
    for channel in CHANNELS:
        share = 0.5 if channel.region in regions and not channel.rest else 1.0
        assert scaled[channel.index] == pytest.approx(share * board[channel.index])


def test_no_strength_leaves_the_range(board: NDArray[np.float32]) -> None:
    strong = apply_levels(board, Levels(mouth=2.0, upper_face=2.0))
    assert np.all((strong >= LOW) & (strong <= HIGH))
    assert strong[CHANNEL_INDEX["CTRL_C_jaw.ty"]] > board[CHANNEL_INDEX["CTRL_C_jaw.ty"]]


def test_full_symmetry_makes_a_face_its_own_mirror_image(board: NDArray[np.float32]) -> None:
    for symmetry, left in ((1.0, 0.0), (0.5, 0.5)):
        shown = apply_levels(board, Levels(symmetry=symmetry))
        for channel in CHANNELS:
            other = CHANNEL_INDEX[channel.mirror]
            before = board[channel.index] - channel.mirror_sign * board[other]
            after = shown[channel.index] - channel.mirror_sign * shown[other]
            assert after == pytest.approx(left * before, abs=1e-6)


def motion(
    *,
    eyes_deg: tuple[float, float] = (0.0, 0.0),
    closure: float = 0.0,
    brow_raise: float = 0.0,
    expression_drift: float = 0.0,
) -> ProceduralMotion:
    return ProceduralMotion(
        eyes_deg, closure, brow_raise, expression_drift, neutral_head(), eyes_deg, is_mutual=True
    )


def test_eyes_turn_to_the_characters_left_and_up_in_shares_of_their_travel() -> None:
    board = motion(eyes_deg=(20.0, 15.0)).apply_to(neutral_board())
    for side in "LR":
        assert board[CHANNEL_INDEX[f"CTRL_{side}_eye.tx"]] == 0.5
        assert board[CHANNEL_INDEX[f"CTRL_{side}_eye.ty"]] == 0.5
    board = motion(eyes_deg=(-20.0, -20.0)).apply_to(neutral_board())
    assert board[CHANNEL_INDEX["CTRL_L_eye.tx"]] == board[CHANNEL_INDEX["CTRL_L_eye.ty"]] == -0.5


def test_lids_go_with_the_eyes_up_and_down() -> None:
    lids = [
        motion(eyes_deg=(0.0, pitch)).apply_to(neutral_board())[
            CHANNEL_INDEX["CTRL_R_eye_blink.ty"]
        ]
        for pitch in (6.0, 0.0, -10.0, -90.0)
    ]
    assert lids[0] < lids[1] == 0.0 < lids[2] < lids[3]
    assert lids[3] == np.float32(LID_LOWER_LIMIT)


def test_many_rows_are_laid_as_one_after_the_other() -> None:
    random = np.random.default_rng(4)
    boards = random.uniform(LOW, HIGH, (20, len(CHANNELS))).astype(np.float32)
    low, high = (-50, -50, 0, 0, -0.5), (50, 50, 1, 1, 0.5)
    values = random.uniform(low, high, (20, MOTION_VALUES)).astype(np.float32)
    one_by_one = [
        motion(
            eyes_deg=(yaw, pitch), closure=shut, brow_raise=up, expression_drift=expression_drift
        ).apply_to(board)
        for board, (yaw, pitch, shut, up, expression_drift) in zip(
            boards, values.tolist(), strict=True
        )
    ]
    np.testing.assert_allclose(overlay(boards, values), one_by_one, atol=1e-6)


@pytest.mark.parametrize("open_", [-0.4, 0.0, 0.3])
def test_a_blink_shuts_a_lid_from_wherever_it_is(open_: float) -> None:
    blink = CHANNEL_INDEX["CTRL_L_eye_blink.ty"]
    board = neutral_board()
    board[blink] = open_
    assert motion(closure=1.0).apply_to(board)[blink] == pytest.approx(1.0)
    assert motion(closure=0.5).apply_to(board)[blink] == pytest.approx((1.0 + open_) / 2)
    assert motion().apply_to(board)[blink] == np.float32(open_)


def test_raised_brows_rise_on_both_sides() -> None:
    board = motion(brow_raise=0.2).apply_to(neutral_board())
    assert board[CHANNEL_INDEX["CTRL_L_brow_raiseOut.ty"]] == np.float32(0.2)
    assert board[CHANNEL_INDEX["CTRL_R_brow_raiseOut.ty"]] == np.float32(0.2)
    assert 0.0 < board[CHANNEL_INDEX["CTRL_L_brow_raiseIn.ty"]] < 0.2


def test_what_is_held_above_the_mouth_swells_and_lids_do_not() -> None:
    board = np.full(len(CHANNELS), 0.5, dtype=np.float32)
    stronger = motion(expression_drift=0.1).apply_to(board)
    for channel in CHANNELS:
        is_lid = channel.name.endswith("eye_blink.ty")
        swells = channel.region in UPPER_FACE_REGIONS and not is_lid and not channel.rest
        expected = 0.55 if swells else 0.5
        assert stronger[channel.index] == pytest.approx(expected), channel.name


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
    brow_raise: float,
    expression_drift: float,
) -> None:
    board = LOW + shares * (HIGH - LOW)
    before = board.copy()
    composed = motion(
        eyes_deg=eyes_deg, closure=closure, brow_raise=brow_raise, expression_drift=expression_drift
    ).apply_to(board)
    np.testing.assert_array_equal(board, before)
    assert composed.dtype == np.float32
    assert np.all((composed >= LOW) & (composed <= HIGH))


def test_eyes_take_part_in_a_smile_on_its_side() -> None:
    board = neutral_board()
    board[CHANNEL_INDEX["CTRL_L_mouth_cornerPull.ty"]] = 0.8
    board[CHANNEL_INDEX["CTRL_R_eye_cheekRaise.ty"]] = 0.3
    joined = couple_expression(board)
    assert joined[CHANNEL_INDEX["CTRL_L_eye_cheekRaise.ty"]] == pytest.approx(0.8 * CHEEK_SHARE)
    assert joined[CHANNEL_INDEX["CTRL_L_eye_squintInner.ty"]] == pytest.approx(0.8 * SQUINT_SHARE)
    assert joined[CHANNEL_INDEX["CTRL_R_eye_cheekRaise.ty"]] == np.float32(0.3)
    assert joined[CHANNEL_INDEX["CTRL_R_eye_squintInner.ty"]] == 0.0
    assert np.count_nonzero(board - neutral_board()) == 2


def test_a_face_that_does_so_by_itself_stays_as_it_is() -> None:
    board = neutral_board()
    board[CHANNEL_INDEX["CTRL_L_mouth_cornerPull.ty"]] = 0.4
    board[CHANNEL_INDEX["CTRL_L_eye_cheekRaise.ty"]] = 0.6
    board[CHANNEL_INDEX["CTRL_L_eye_squintInner.ty"]] = 0.5
    np.testing.assert_array_equal(couple_expression(board), board)


def test_strength_scales_what_a_smile_adds_and_none_adds_nothing() -> None:
    board = neutral_board()
    board[CHANNEL_INDEX["CTRL_L_mouth_cornerPull.ty"]] = 0.8
    np.testing.assert_array_equal(couple_expression(board, 0.0), board)
    half = couple_expression(board, 0.5)[CHANNEL_INDEX["CTRL_L_eye_cheekRaise.ty"]]
    assert half == pytest.approx(0.4 * CHEEK_SHARE)
    most = couple_expression(board, 2.0)[CHANNEL_INDEX["CTRL_L_eye_cheekRaise.ty"]]
    assert most == pytest.approx(CHEEK_SHARE)
