"""What a mouth does when nobody speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

AWAY_S = 0.3
"""Silence this near to speech belongs to the speech: breath, anticipation, closing."""
SHUT = 0.05
"""Opening (board values) up to which a mouth counts as shut: about 2 mm of a jaw's way."""


def resting(opening: NDArray[np.float32], start_s: float, end_s: float) -> NDArray[np.float32]:
    """Return the opening, [rows], of a clip outside of its speech from `start_s` to `end_s`.

    `opening` is [rows] at 50 Hz from time 0; rows within `AWAY_S` of the speech are left out.
    """
    times_s = np.arange(len(opening)) / ROW_RATE_HZ
    return opening[(times_s < start_s - AWAY_S) | (times_s > end_s + AWAY_S)]


def closing_time(opening: NDArray[np.float32], end_s: float) -> float:
    """Return how long after `end_s`, the end of speech, a mouth is shut for good, in seconds.

    `opening` is [rows] at 50 Hz. Between rows the opening is taken as linear; a mouth that is shut
    at the end of speech gives 0, one that is open in the last row the whole rest.
    """
    rows_s = np.arange(len(opening)) / ROW_RATE_HZ
    is_open = np.flatnonzero((opening > SHUT) & (rows_s >= end_s))
    at_end = float(np.interp(end_s, rows_s, opening))
    if not len(is_open):
        following = np.flatnonzero(rows_s >= end_s)
        if at_end <= SHUT or not len(following):
            return 0.0
        before_s, before, after = end_s, at_end, int(following[0])
    else:
        last = int(is_open[-1])
        if last == len(opening) - 1:
            return float(rows_s[-1] - end_s)
        before_s, before, after = float(rows_s[last]), float(opening[last]), last + 1
    share = (before - SHUT) / (before - float(opening[after]))
    return before_s + share * (float(rows_s[after]) - before_s) - end_s
