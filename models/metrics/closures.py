"""Lip closures: at bilabials, false ones in vowels, and the rest position in silence.

Peers report bilabial closures as well (Electronic Arts, arXiv 2507.18352); the thresholds are
ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.metrics.curves import runs
from cstalk_bridge.models.phones import PHONE_INDEX, VOWELS
from cstalk_bridge.models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


SEALED = 0.5
"""Lips together beyond this (board value, 0..1) seal the lips."""
FEWEST_ROWS = 6
"""Rows that a vowel must last to be counted: 0.12 s."""
EDGE_ROWS = 2
"""Rows at either end of a vowel that belong to its neighbours."""


@dataclass(frozen=True, slots=True)
class Closures:
    """Counts of closures in one or many clips.

    `sealed` of `closers` bilabials closed the lips, `false` of `vowels` vowels did; `gaps` is the
    narrowest opening (board values) during each bilabial.
    """

    sealed: int
    closers: int
    false: int
    vowels: int
    gaps: tuple[float, ...]

    def __add__(self, other: Closures) -> Closures:
        return Closures(
            self.sealed + other.sealed,
            self.closers + other.closers,
            self.false + other.false,
            self.vowels + other.vowels,
            self.gaps + other.gaps,
        )

    @property
    def rate(self) -> float:
        """Share of bilabials that are sealed, 0..1; NaN without any."""
        return self.sealed / self.closers if self.closers else float("nan")

    @property
    def false_rate(self) -> float:
        """Share of vowels that are sealed in their middle, 0..1; NaN without any."""
        return self.false / self.vowels if self.vowels else float("nan")


def closures(
    together: NDArray[np.float32],
    opening: NDArray[np.float32],
    phones: NDArray[np.int64],
    closers: Sequence[int],
    vowels: Sequence[int],
) -> Closures:
    """Count the closures of one clip; all curves are [rows] in board values.

    A bilabial is sealed when the lips are together beyond `SEALED` at any row from one before its
    first to one after its last. A vowel of at least `FEWEST_ROWS` rows is a false closure when they
    are so at any row further than `EDGE_ROWS` from its ends.
    """
    closer_rows = [slice(max(0, a - 1), b + 1) for a, b in runs(np.isin(phones, closers)).tolist()]
    open_rows = [
        slice(a + EDGE_ROWS, b - EDGE_ROWS)
        for vowel in vowels
        for a, b in runs(phones == vowel).tolist()
        if b - a >= FEWEST_ROWS
    ]
    return Closures(
        sealed=sum(bool(together[rows].max() > SEALED) for rows in closer_rows),
        closers=len(closer_rows),
        false=sum(bool(together[rows].max() > SEALED) for rows in open_rows),
        vowels=len(open_rows),
        gaps=tuple(float(opening[rows].min()) for rows in closer_rows),
    )


CLOSERS = [PHONE_INDEX[phone] for phone in "PBM"]
OPEN_VOWELS = [PHONE_INDEX[phone] for phone in ("AA", "AE", "AO")]
ALL_VOWELS = [PHONE_INDEX[phone] for phone in VOWELS]
NO_CLOSURES = Closures(0, 0, 0, 0, ())


AWAY_S = 0.3
"""Silence this close to speech belongs to the speech: breath, anticipation, closing."""
SHUT = 0.05
"""Opening (board values) up to which a mouth counts as shut: about 2 mm of jaw motion."""


def resting(opening: NDArray[np.float32], start_s: float, end_s: float) -> NDArray[np.float32]:
    """Return the opening, [rows], of a clip outside of its speech from `start_s` to `end_s`.

    `opening` is [rows] at 50 Hz from time 0; rows within `AWAY_S` of the speech are left out.
    """
    times_s = np.arange(len(opening)) / ROW_RATE_HZ
    return opening[(times_s < start_s - AWAY_S) | (times_s > end_s + AWAY_S)]


def closing_time(opening: NDArray[np.float32], end_s: float) -> float:
    """Return how long after `end_s`, the end of speech, a mouth is shut for good, in seconds.

    `opening` is [rows] at 50 Hz, interpolated linearly. A mouth that is shut at the end of speech
    gives 0, one that is open in the last row the whole remaining time.
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
