"""The faces of one subject by stream time, and the face between two of them.

One thread writes (the generator), one reads (the tick). A row is written before the count that
makes it visible, and the ring is far longer than any delay, so neither side needs a lock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

CAPACITY_ROWS = 256
"""Rows kept: 5.1 s, ten times the longest delay between writing and reading a row."""
_ROUNDING_ROWS = 1e-6
"""Float noise of a read on the first or the newest row itself, in rows."""


class Reach(Enum):
    """Where a read fell."""

    EARLY = "early"
    """Before the first row: there is no face yet."""
    LIVE = "live"
    """Between two rows: the face of exactly that time."""
    LATE = "late"
    """Past the newest row: the newest face."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The face at one stream time.

    `values` is float32 [channels], None when `reach` is `EARLY`. `heard_s` is the host time at
    which the hop was complete that gave the later of the rows read, `made_s` that at which the row
    was there; both are 0 where `reach` is `EARLY`. `late_s` is how far past the newest row the
    read was, 0 unless `reach` is `LATE`.
    """

    values: NDArray[np.float32] | None
    reach: Reach
    heard_s: float = 0.0
    made_s: float = 0.0
    late_s: float = 0.0


class Timeline:
    """A bounded ring of rows `[channels]` at 50 Hz.

    Row `i` is the face of stream time `i / 50` s; the first may be negative, where the generator's
    look-ahead makes it begin before the sound.
    """

    def __init__(self, channels: int) -> None:
        self._rows = np.zeros((CAPACITY_ROWS, channels), dtype=np.float32)
        self._heard_made_s = np.zeros((CAPACITY_ROWS, 2))
        self._first_row: int | None = None
        self._end_row = 0

    @property
    def newest_s(self) -> float:
        """The stream time of the newest row."""
        return (self._end_row - 1) / ROW_RATE_HZ

    def put(
        self,
        number: int,
        row: NDArray[np.float32] | None,
        heard_s: float = 0.0,
        made_s: float = 0.0,
    ) -> None:
        """Write row `number`, float32 [channels], and its times (see `Reading`).

        None is the row before it. Rows left out since the newest lie on the line between it and
        this one; a row that is there already is replaced. Only the generator thread calls this.
        """
        if self._first_row is None:
            self._end_row = number  # before the row that the reader looks at first
            self._first_row = number
        newest = self._rows[(self._end_row - 1) % CAPACITY_ROWS].copy()
        end = newest if row is None else row
        first = max(min(number, self._end_row), number - CAPACITY_ROWS + 1)
        for other in range(first, number + 1):
            share = np.float32((other - first + 1) / (number - first + 1))
            slot = other % CAPACITY_ROWS
            self._rows[slot] = newest + share * (end - newest)
            self._heard_made_s[slot] = heard_s, made_s
        self._end_row = max(self._end_row, number + 1)

    def at(self, stream_s: float) -> Reading:
        """Return the face of `stream_s`; between two rows it is interpolated linearly.

        A time older than the ring reads its oldest row. Only the tick thread calls this.
        """
        first, end = self._first_row, self._end_row
        position = stream_s * ROW_RATE_HZ
        if first is None or end == first or position < first - _ROUNDING_ROWS:
            return Reading(None, Reach.EARLY)
        newest = end - 1
        if position > newest + _ROUNDING_ROWS:
            slot = newest % CAPACITY_ROWS
            heard_s, made_s = self._heard_made_s[slot].tolist()
            late_s = (position - newest) / ROW_RATE_HZ
            return Reading(self._rows[slot].copy(), Reach.LATE, heard_s, made_s, late_s)
        # Half the ring is left to the writer, so that no row under the reader is overwritten.
        oldest = max(first, end - CAPACITY_ROWS // 2)
        position = min(max(position, oldest), newest)
        before = min(math.floor(position), newest)
        after = min(before + 1, newest)
        share = np.float32(position - before)
        earlier, later = self._rows[before % CAPACITY_ROWS], self._rows[after % CAPACITY_ROWS]
        heard_s, made_s = self._heard_made_s[after % CAPACITY_ROWS].tolist()
        return Reading(earlier + share * (later - earlier), Reach.LIVE, heard_s, made_s)
