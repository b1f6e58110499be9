"""Where the character of a take looks, how it holds its head, and when it blinks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bridge.face.alive.gaze import FACE_DEG
from bridge.face.alive.living import sides, turned_deg
from bridge.plot.measures import runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bridge.plot.measures import Floats
    from bridge.takes.take import Take

SHUT = 0.5
"""A lid beyond this is that of a blink."""
SHIFT_DEG_S = 30.0
"""Eyes that turn faster than this are on their way to another place: a saccade."""
LEAST_SHIFT_DEG = 1.0
"""A smaller shift is a micro-saccade."""
_BLINK = sides("eye_blink.ty")


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """What eyes and head do in some rows.

    `gaze_deg` is [time, 2], yaw to the character's left and pitch up from where it faces at rest,
    head and eyes together; `head_deg` [time, 3] yaw, pitch, and roll to its right shoulder.
    `blinks` is [blinks, 2], first row and row after the last with shut lids; `shifts_deg` [shifts]
    the sizes of the saccades.
    """

    gaze_deg: Floats
    head_deg: Floats
    blinks: NDArray[np.intp]
    shifts_deg: Floats

    @property
    def is_still(self) -> bool:
        """Whether neither eyes nor head move."""
        return not (np.ptp(self.gaze_deg, axis=0).any() or np.ptp(self.head_deg, axis=0).any())

    @property
    def mutual_share(self) -> float:
        """The share of time on the partner's face."""
        return float(np.mean(np.hypot(*self.gaze_deg.T) <= FACE_DEG))


def looks(take: Take, rows: slice) -> Looks:
    """Return what eyes and head do in some rows of a take."""
    board, head = take.whole_board(rows), np.degrees(take.head[rows, :3])
    eyes = turned_deg(board)
    shut = board[:, _BLINK].mean(axis=1) > SHUT
    return Looks(eyes + head[:, :2], head, runs(shut), shifts(eyes, take.rate.hz))


def shifts(eyes_deg: Floats, rate_hz: float) -> Floats:
    """Return the sizes of the saccades of eyes, [time, 2], in the order of time, in degrees."""
    speed = np.hypot(*np.diff(eyes_deg, axis=0).T) * np.float32(rate_hz)
    spans = runs(speed > SHIFT_DEG_S)
    ways = eyes_deg[spans[:, 1]] - eyes_deg[spans[:, 0]]
    sizes = np.hypot(*ways.T)
    return np.asarray(sizes[sizes >= LEAST_SHIFT_DEG], dtype=np.float32)
