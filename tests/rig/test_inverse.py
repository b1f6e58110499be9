from __future__ import annotations

import numpy as np
import pytest

from cstalk_bridge.models.board import CHANNELS
from cstalk_bridge.rig.curves import neutral_board
from cstalk_bridge.rig.inverse import InverseMap
from cstalk_bridge.rig.load import load_rigmap

LOW, HIGH = (np.array([getattr(c, key) for c in CHANNELS]) for key in ("minimum", "maximum"))


@pytest.mark.parametrize("name", ["arkit", "livelinkface61"])
def test_the_face_of_curves_has_the_same_curves(name: str) -> None:
    random = np.random.default_rng(3)
    moved = random.random((300, len(CHANNELS))) < 0.3
    board = np.where(moved, LOW + random.random(moved.shape) * (HIGH - LOW), neutral_board(300))
    head = random.uniform(-0.4, 0.4, (300, 6)).astype(np.float32)
    rigmap = load_rigmap(name)
    curves = rigmap.final_values(rigmap.raw_values(board.astype(np.float32), head)).copy()
    found, turned = InverseMap(rigmap).faces(curves)
    again = rigmap.final_values(rigmap.raw_values(found, turned))
    assert np.abs(again - curves).max() < 0.02, "a jaw that is almost shut tells little of lips"
    assert np.abs(again - curves).mean() < 1e-4
    assert np.abs(turned[:, :3] - head[:, :3]).max() < 1e-3
    assert ((found >= LOW - 1e-6) & (found <= HIGH + 1e-6)).all()


def test_curves_at_rest_are_a_face_at_rest() -> None:
    rigmap = load_rigmap("arkit")
    board, head = InverseMap(rigmap).faces(np.tile(rigmap.rest, (3, 1)))
    assert np.abs(board - neutral_board(3)).max() < 1e-3
    assert not head.any()


def test_no_curves_are_no_faces() -> None:
    board, head = InverseMap(load_rigmap("arkit")).faces(np.zeros((0, 61), np.float32))
    assert (board.shape, head.shape) == ((0, 174), (0, 6))
