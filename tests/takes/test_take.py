from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.models.board import CHANNEL_INDEX
from cstalk_bridge.rig.curves import Frame, neutral_board
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.takes.take import BLOCK_ROWS, curve_blocks, curves
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.takes.takes import made_take


def test_a_take_knows_its_length_and_its_name() -> None:
    take = made_take(125, slate="hall")
    assert (take.rows, take.duration_s, take.name) == (125, 2.5, "hall_1")
    assert take.times_s[-1] == pytest.approx(2.48)


def test_the_full_board_has_each_channel_at_its_index() -> None:
    take = made_take(10)
    board = take.whole_board(slice(2, 5))
    assert board.shape == (3, 174)
    places = [CHANNEL_INDEX[name] for name in take.channels]
    assert (board[:, places] == take.board[2:5]).all()
    at_rest = neutral_board(3)
    assert at_rest.sum() == 3 * 2
    assert (np.delete(board - at_rest, places, axis=1) == 0).all()


@given(rate=st.sampled_from(sorted(FRAME_RATES)))
def test_resampling_keeps_length_and_shape(rate: str) -> None:
    take = made_take(500)
    other = take.at(FRAME_RATES[rate])
    assert abs(other.duration_s - take.duration_s) <= 0.5 * other.rate.frame_s
    jaw = take.channels.index("CTRL_C_jaw.ty")
    expected = np.interp(other.times_s, take.times_s, take.board[:, jaw])
    assert np.abs(other.board[:, jaw] - expected).max() < 1e-5
    assert len(other.head) == other.rows


def test_the_start_timecode_stays_when_the_rate_changes() -> None:
    take = made_take(10)
    late = type(take)(
        **{name: getattr(take, name) for name in take.__slots__} | {"start": 50 * 3600}
    )
    assert late.at(FRAME_RATES["60"]).start == 60 * 3600


def test_curves_are_those_of_the_rig_map_frame_by_frame_over_blocks() -> None:
    take, rigmap = made_take(BLOCK_ROWS + 7), load_rigmap("livelinkface61")
    mapped = curves(take, rigmap)
    assert mapped.shape == (take.rows, 61)
    assert [len(block) for block in curve_blocks(take, rigmap)] == [BLOCK_ROWS, 7]
    for row in (0, BLOCK_ROWS - 1, BLOCK_ROWS, take.rows - 1):
        frame = Frame(0.0, take.whole_board(slice(row, row + 1))[0], take.head[row])
        assert np.abs(rigmap.apply(frame) - mapped[row]).max() < 1e-6


def test_a_take_without_rows_has_no_curves() -> None:
    take = made_take(0)
    assert curves(take, load_rigmap("vrm")).shape == (0, len(load_rigmap("vrm").outputs))
    assert take.at(FRAME_RATES["24"]).rows == 0
