"""What a face does while someone speaks, as gestures: rules joined with captured curves.

Gestures (`rules.GESTURES`) are in board units, at 50 Hz; row i of a clip is the face of its audio
time i/50 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.timing import ROW_RATE_HZ
from models.training.captured_mouths import CURVES
from models.training.energy import smooth
from models.training.rules import GESTURES

if TYPE_CHECKING:
    from numpy.typing import NDArray

JAW_YIELDS = 0.4  # part of the jaw's opening that a bilabial closure takes away
CAPTURED_CLOSES = 0.6
"""Lips together in p b m on a captured face beyond what its tracker saw, which hardly sees it."""
CARRIED_TOGETHER = 0.8
"""Share of the captured talker's lips together, outside p b m, that other voices inherit."""
CAPTURED_EARLY_ROWS = 1  # that face's lips meet so much before the aligner's p b m begin
ROUNDING = {"funnel": 0.55, "towards": 0.4}  # shares of a pucker, beside the purse
PAUSE_S = 0.16  # silence this long shuts the mouth
EASE_ROWS = 7  # of shutting and opening it

COLUMN = {gesture: column for column, gesture in enumerate(GESTURES)}


@dataclass(frozen=True, slots=True)
class Targets:
    """One clip's gestures [time, gestures], phone indices [time] and stress [time] in 0..1.

    `channels` [time, channels] are board values which a tracker saw instead (`action_units.py`).
    """

    gestures: NDArray[np.float32]
    phones: NDArray[np.int64]
    stress: NDArray[np.float32]
    channels: NDArray[np.float32] | None = None


def speaking(phones: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return 1 where someone speaks and 0 in pauses, eased over about 0.12 s, [time]."""
    spoken = phones > 0
    pause = int(PAUSE_S * ROW_RATE_HZ)
    edges = np.flatnonzero(np.diff(np.concatenate(([True], spoken, [True])).astype(np.int8)))
    active = spoken.copy()
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        at_edge = start == 0 or end == len(spoken)
        active[start:end] = not at_edge and end - start < pause
    return smooth(active.astype(np.float32), EASE_ROWS)


def compose(
    rules: NDArray[np.float32],
    mouth: NDArray[np.float32],
    active: NDArray[np.float32],
    stress: NDArray[np.float32],
    *,
    is_captured: bool,
) -> NDArray[np.float32]:
    """Join rule curves [time, gestures] with a mouth [time, curves], [time, gestures].

    A captured mouth is taken as it was seen, between words as well, and closed further where the
    rules close it; one that was carried over shuts in pauses, closes fully where the rules close
    it, and shares its purse with them.
    """
    gestures = rules * active[:, None]
    shut = np.ones_like(active) if is_captured else active
    jaw, pucker, together = (mouth[:, CURVES.index(name)] * shut for name in CURVES)
    closed = gestures[:, COLUMN["lips_together"]]
    gestures[:, COLUMN["jaw"]] = jaw * (1.0 - JAW_YIELDS * closed)
    if is_captured:
        early = np.append(closed[CAPTURED_EARLY_ROWS:], closed[-CAPTURED_EARLY_ROWS:])
        closed = np.minimum(early * (CAPTURED_CLOSES + together), 1.0)
    else:
        together = CARRIED_TOGETHER * together
    gestures[:, COLUMN["lips_together"]] = np.maximum(closed, together)
    own = 1.0 if is_captured else 0.5
    gestures[:, COLUMN["purse"]] = (1.0 - own) * gestures[:, COLUMN["purse"]] + own * pucker
    for name, share in ROUNDING.items():
        gestures[:, COLUMN[name]] = 0.5 * gestures[:, COLUMN[name]] + 0.5 * share * pucker
    for name in ("stretch", "lower_depress", "upper_raise"):
        gestures[:, COLUMN[name]] *= 0.7 + 0.45 * stress
    return gestures
