"""From the generator's rows to the frames of one face, also while there are no rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bridge.face.emotion import ease
from bridge.face.timeline import Reach, Reading
from bridge.frame import Frame, neutral_board
from models.board import INDEX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Bridging:
    """How a face gets over a gap in its rows, in seconds.

    The last face is held for `hold_s`, then falls to neutral with the time constant `decay_s`.
    When rows return, the face goes over to them within the length of the gap, `return_s` at most.
    """

    hold_s: float = 0.25
    decay_s: float = 0.3
    return_s: float = 0.15


class Performer:
    """One subject's face on the host's clock: rows in, board frames out.

    `channels` names the rows' columns; all must be board channels. Pure apart from its own state,
    and called by the tick thread only. `now_s` must not go backwards.
    """

    def __init__(self, channels: Sequence[str], bridging: Bridging | None = None) -> None:
        self._columns = np.array([INDEX[name] for name in channels], dtype=np.intp)
        self._bridging = bridging or Bridging()
        self._shown = np.zeros(len(channels), dtype=np.float32)
        self._held = self._shown
        self._gap_since_s: float | None = -math.inf
        self._offset = self._shown
        self._return_at_s = 0.0
        self._return_s = 0.0

    def frame(self, reading: Reading | None, now_s: float) -> Frame:
        """Return the frame to show at host time `now_s`.

        `reading` is what the timeline gave, None without one; its values count when it is `LIVE`.
        """
        if reading is not None and reading.values is not None and reading.reach is Reach.LIVE:
            self._shown = self._live(reading.values, now_s)
        else:
            self._shown = self._without(now_s)
        board = neutral_board()
        board[self._columns] = self._shown
        return Frame(time_s=now_s, board=board)

    def _live(self, row: NDArray[np.float32], now_s: float) -> NDArray[np.float32]:
        if self._gap_since_s is not None:
            self._return_s = min(now_s - self._gap_since_s, self._bridging.return_s)
            self._return_at_s = now_s
            self._offset = self._shown - row
            self._gap_since_s = None
        elapsed_s = now_s - self._return_at_s
        if elapsed_s >= self._return_s:
            return row
        return row + np.float32(1.0 - ease(elapsed_s / self._return_s)) * self._offset

    def _without(self, now_s: float) -> NDArray[np.float32]:
        if self._gap_since_s is None:
            self._gap_since_s = now_s
            self._held = self._shown
        falling_s = now_s - self._gap_since_s - self._bridging.hold_s
        if falling_s <= 0.0:
            return self._held
        return self._held * np.float32(math.exp(-falling_s / self._bridging.decay_s))
