"""The curves of a take at the frame rate of an export, block by block: hours need no memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from bridge.takes.take import between

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bridge.clock.rate import FrameRate
    from bridge.rig.rigmap import RigMap
    from bridge.takes.take import Take

    Floats = NDArray[np.float32]

BLOCK_ROWS: Final = 256
"""Rows of a block: few enough that what is made of them stays in a processor's cache."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where the rows of an export lie: `rows` of them at `rate`, from frame `start` since midnight.

    As long as the take, and the same rows as `Take.at` gives.
    """

    rate: FrameRate
    start: int
    rows: int


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some rows: number `first` since the beginning, and `curves`, float32 [n, outputs]."""

    first: int
    curves: Floats

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The number of each row since the beginning."""
        return self.first + np.arange(len(self.curves))


def span(take: Take, rate: FrameRate) -> Span:
    """Return where the rows of a take lie at a rate."""
    factor = take.rate.frame_s / rate.frame_s
    rows = max(1, round(take.rows * factor)) if take.rows else 0
    return Span(rate, round(take.start * factor), rows)


def blocks(take: Take, rigmap: RigMap, rate: FrameRate) -> Iterator[Block]:
    """Yield all rows of a take at a rate, as the curves of a rig map, smoothed where it says so."""
    applier = rigmap.applier()
    rows = span(take, rate).rows
    for first in range(0, rows, BLOCK_ROWS):
        numbers = np.arange(first, min(first + BLOCK_ROWS, rows))
        part = _between(take, np.asarray(numbers * (take.rate.hz / rate.hz)))
        yield Block(first, applier.course(part.whole_board(), part.head, numbers / rate.hz))


def _between(take: Take, places: NDArray[np.float64]) -> Take:
    """Return a take of only the rows at `places`, which lie anywhere between its rows."""
    places = np.minimum(places, take.rows - 1)
    return replace(take, board=between(take.board, places), head=between(take.head, places))
