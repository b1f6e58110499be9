"""Studies of synthetic takes, for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.plot.study import JAW, LIPS, Study, examine
from cstalk_bridge.rig.load import load_rigmap
from tests.takes.takes import made_take

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cstalk_bridge.takes.take import Take


def calm_take(seconds: float = 4.0, slate: str = "calm") -> Take:
    """A take that moves only its jaw, twice a second, and closes its lips once."""
    take = made_take(round(seconds * 50), slate=slate)
    board = np.zeros_like(take.board)
    board[:, take.channels.index(JAW)] = take.board[:, take.channels.index(JAW)] * 0.8
    for name in LIPS:
        board[60:66, take.channels.index(name)] = [0.3, 0.6, 0.9, 0.9, 0.6, 0.3]
    return replace(take, board=board)


def moved(take: Take, name: str, values: ArrayLike, rows: slice = slice(None)) -> Take:
    """The take with other values in one channel."""
    board = take.board.copy()
    board[rows, take.channels.index(name)] = values
    return replace(take, board=board)


def study(take: Take, rigmap: str = "livelinkface61", rows: slice = slice(None)) -> Study:
    return examine(take, load_rigmap(rigmap), rows)
