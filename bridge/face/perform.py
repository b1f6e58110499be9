"""From the generator's rows to the frames of one living face, also while there are no rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.face.alive.settling import Policies, Settling, Situation
from bridge.face.timeline import Reach, Reading
from bridge.frame import Frame, neutral_board
from models.board import INDEX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.face.alive.cues import Cues
    from bridge.face.alive.life import Life
    from bridge.face.alive.prosody import Prosody

SILENCE_S = 0.5
"""A pause this long is silence: it is no pause between two phrases any more."""


class Performer:
    """One subject's face on the host's clock: rows in, board frames out.

    `channels` names the rows' columns; all must be board channels. `policies` say what the face
    does without a row, `life` what it does by itself. Pure apart from its own state, and called by
    the tick thread only. `now_s` must not go backwards.
    """

    def __init__(
        self, channels: Sequence[str], life: Life, policies: Policies | None = None
    ) -> None:
        self._columns = np.array([INDEX[name] for name in channels], dtype=np.intp)
        self._life = life
        self._settling = Settling(len(channels), policies)

    def frame(
        self, reading: Reading | None, cues: Cues, now_s: float, *, is_paused: bool = False
    ) -> Frame:
        """Return the frame to show at host time `now_s`.

        `reading` is what the timeline gave, None without one; its values count when it is `LIVE`.
        A paused face goes on living: it looks and blinks.
        """
        row = reading.values if reading is not None and reading.reach is Reach.LIVE else None
        if is_paused:
            situation = Situation.PAUSE
        elif row is None:
            situation = Situation.LOST
        else:
            situation = _heard(cues.prosody)
        board = neutral_board()
        board[self._columns] = self._settling.step(now_s, situation, row)
        return self._life.frame(now_s, cues, board)


def _heard(prosody: Prosody) -> Situation:
    return Situation.SILENCE if prosody.pause_s >= SILENCE_S else Situation.LIVE
