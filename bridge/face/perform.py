"""From the generator's rows to the frames of one living face, also while there are no rows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from bridge.face.alive.life import faces
from bridge.face.alive.settling import Policies, Settling, Situation
from bridge.face.timeline import Reach, Reading
from bridge.frame import neutral_board
from models.board import INDEX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bridge.face.alive.cues import Cues
    from bridge.face.alive.life import Life
    from bridge.face.alive.living import Living
    from bridge.face.alive.prosody import Prosody

SILENCE_S = 0.5
"""A pause this long is silence: it is no pause between two phrases any more."""

HOLD_S = 0.5
"""Without a new row for this long, though there is input, a face is held no more but goes to rest:
a mouth that stands open is worse than one that is shut."""


class Showing(Enum):
    """What a tick shows of the generated face."""

    LIVE = "live"
    """The face of exactly its time."""
    HELD = "held"
    """The newest face there is, because that of its time is late."""
    RESTING = "resting"
    """None: there is no input, or nothing new has come for `HOLD_S`."""


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """What one character shows at a tick, before its life is laid over it.

    `board` is the generated face, float32 [174], `living` what moves besides; `showing` says what
    the board holds of the generator's.
    """

    board: NDArray[np.float32]
    living: Living
    showing: Showing


class Performer:
    """One subject's face on the host's clock: rows in, poses out.

    `channels` names the rows' columns; all must be board channels. `policies` say what the face
    does without a row, `life` what it does by itself. Pure apart from its own state, and called by
    the tick thread only. `now_s` must not go backwards.
    """

    def __init__(
        self, channels: Sequence[str], life: Life, policies: Policies | None = None
    ) -> None:
        self._columns = np.array([INDEX[name] for name in channels], dtype=np.intp)
        self.life = life
        self._settling = Settling(len(channels), policies)

    def pose(
        self,
        reading: Reading | None,
        cues: Cues,
        now_s: float,
        *,
        is_paused: bool = False,
        is_starved: bool = False,
    ) -> Pose:
        """Return the pose to show at host time `now_s`.

        `reading` is what the timeline gave, None without one; `is_starved` says that no sound
        comes, so that a late row will not follow. A paused face goes on living: it looks and
        blinks.
        """
        showing = _showing(reading, now_s, is_starved=is_starved)
        row = None if reading is None or showing is Showing.RESTING else reading.values
        if is_paused:
            situation = Situation.PAUSE
        elif row is not None:
            situation = _heard(cues.prosody)
        else:
            situation = Situation.LOST if is_starved or reading is None else Situation.LATE
        board = neutral_board()
        board[self._columns] = self._settling.step(now_s, situation, row)
        return Pose(board, self.life.step(now_s, cues), showing)


def compose(poses: Sequence[Pose], performers: Sequence[Performer]) -> NDArray[np.float32]:
    """Return the whole faces of several characters, life and all, float32 [characters, 174]."""
    boards = np.stack([pose.board for pose in poses])
    lives = [performer.life for performer in performers]
    return faces(boards, lives, [pose.living for pose in poses])


def _showing(reading: Reading | None, now_s: float, *, is_starved: bool) -> Showing:
    if reading is None or reading.values is None:
        return Showing.RESTING
    if reading.reach is Reach.LIVE:
        return Showing.LIVE
    is_new = now_s - reading.made_s <= HOLD_S
    return Showing.HELD if is_new and not is_starved else Showing.RESTING


def _heard(prosody: Prosody) -> Situation:
    return Situation.SILENCE if prosody.pause_s >= SILENCE_S else Situation.LIVE
