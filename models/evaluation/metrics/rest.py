"""What a mouth does when nobody speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.timing import HOP_S, HOP_SAMPLES, ROW_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

AWAY_S = 0.3
"""Silence this near to speech belongs to the speech: breath, anticipation, closing."""
QUIET_DB = 35.0
"""A hop this far under the loud ones of its clip is no speech."""
SHUT = 0.05
"""Opening (board values) up to which a mouth counts as shut: about 2 mm of a jaw's way."""


def speech_span(sound: NDArray[np.float32]) -> tuple[float, float]:
    """Return when speech begins and ends in a clean clip [time] of 16 kHz, in seconds.

    Of hops of 20 ms, the first and the last whose power is within `QUIET_DB` of the clip's 95th
    percentile; (0, 0) where the clip is digital silence.
    """
    hops = len(sound) // HOP_SAMPLES
    power = np.square(sound[: hops * HOP_SAMPLES].reshape(-1, HOP_SAMPLES)).mean(1)
    if not power.any():
        return 0.0, 0.0
    heard = np.flatnonzero(power > np.percentile(power[power > 0], 95) / 10 ** (QUIET_DB / 10))
    return float(heard[0] * HOP_S), float((heard[-1] + 1) * HOP_S)


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
