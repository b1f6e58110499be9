"""Whether lips meet where a language wants it, and stay apart where it does not.

Peers report bilabial closures as well (Electronic Arts, arXiv 2507.18352); the thresholds are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

SEALED = 0.5
"""Lips together beyond this (board value, 0..1) seal the lips."""
FEWEST_ROWS = 6
"""Rows that a vowel must last for its middle to be looked at: 0.12 s."""
EDGE_ROWS = 2
"""Rows at either end of a vowel that belong to its neighbours."""


@dataclass(frozen=True, slots=True)
class Closures:
    """What lips did in one or many clips.

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


def runs(flags: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield first row and row after the last of every stretch of `flags` [time]."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        yield int(start), int(end)


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
    wanted = [slice(max(0, a - 1), b + 1) for a, b in runs(np.isin(phones, closers))]
    open_rows = [
        slice(a + EDGE_ROWS, b - EDGE_ROWS)
        for vowel in vowels
        for a, b in runs(phones == vowel)
        if b - a >= FEWEST_ROWS
    ]
    return Closures(
        sealed=sum(bool(together[rows].max() > SEALED) for rows in wanted),
        closers=len(wanted),
        false=sum(bool(together[rows].max() > SEALED) for rows in open_rows),
        vowels=len(open_rows),
        gaps=tuple(float(opening[rows].min()) for rows in wanted),
    )
