"""The curves of a take that is being recorded: a Live Link Face CSV that grows line by line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bridge.export.livelink_csv import (
    FAST,
    SLOW,
    TARGET,
    column_order,
    header,
    lines,
    thousandths,
    timecode_base,
    timecodes,
)
from bridge.export.rows import Span
from bridge.recording.growing import begun, is_at, rescued, write_all
from bridge.rig.tables import load_table
from bridge.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bridge.clock.rate import FrameRate
    from bridge.clock.tick import Tick


class Row(NamedTuple):
    """One frame of one subject: its tick, and its curves [61] in the order of the packet."""

    tick: Tick
    curves: NDArray[np.float32]


class CurvesFile:
    """A file that grows by whole lines.

    UserError and OSError where it cannot be made, OSError where it cannot be written.
    """

    def __init__(self, path: Path, rate: FrameRate) -> None:
        self.path = path
        self.rows = 0
        self._rate = rate
        self._base = SLOW if rate.hz == SLOW else FAST
        names = [curve.name for curve in load_table(TARGET).curves]
        self._places = [names.index(name) for name in column_order()]
        self._early: list[Row] = []
        self._file = begun(path, header())
        self._size = len(header())

    def append(self, rows: Sequence[Row]) -> None:
        """Write rows, one at least."""
        if self.rows <= self._rate.nominal:
            self._early += rows
        else:
            self._early = []
        data = self._lines(rows)
        write_all(self._file, data)
        self._size += len(data)
        self.rows += len(rows)

    @property
    def is_there(self) -> bool:
        """Whether it still lies where it was made."""
        return self._file.closed or is_at(self._file, self.path)

    def rescue(self, path: Path) -> None:
        """Go on in a copy at `path`. Raises UserError and OSError."""
        copy = rescued(self._file, path)
        self._file.close()
        self._file, self.path = copy, path

    def close(self) -> None:
        """Put the file safely on disk, without half of a line, and close it in any case.

        A take too short to show Unreal's importer its frame rate gets the timecodes of the rate
        which that will infer. Raises OSError and UserError.
        """
        if self._file.closed:
            return
        with self._file:
            self._file.truncate(self._size)
            os.fsync(self._file.fileno())
        if self._early and len(self._early) == self.rows:
            first = self._early[0].tick.frame
            base = timecode_base(Span(self._rate, first, self.rows))
            if base != self._base:
                self._base = base
                with whole_file(self.path, overwrite=True, is_private=True) as file:
                    file.write(header() + self._lines(self._early))

    def timecode(self, tick: Tick) -> str:
        """Return the timecode of a tick as it stands in the file."""
        return timecodes(self._times([tick]), self._base).tobytes().decode("ascii")

    def _times(self, ticks: Sequence[Tick]) -> NDArray[np.int64]:
        numbers = np.array([tick.frame for tick in ticks], dtype=np.int64)
        beyond = np.array([tick.subframe for tick in ticks]) * float(
            1000 * self._base * self._rate.frame_s
        )
        return thousandths(numbers, self._rate, self._base) + beyond.astype(np.int64)

    def _lines(self, rows: Sequence[Row]) -> bytes:
        curves = np.stack([row.curves for row in rows])[:, self._places]
        return lines(curves, self._times([row.tick for row in rows]), self._base)


def mend(path: Path) -> tuple[int, str, str]:
    """Cut half a line off a file that a killed program left.

    Return how many frames it has, and the timecodes of the first and the last, "" without frames.
    Raises OSError.
    """
    count, first, last = -1, "", ""
    with path.open("r+b") as file:
        end = 0
        for line in file:
            if not line.endswith(b"\n"):
                break
            end += len(line)
            count += 1
            if count:
                last = line[: line.find(b",")].decode("ascii", "replace")
                first = first or last
        file.truncate(end)
        if count < 0:
            file.seek(0)
            file.write(header())
    return max(count, 0), first, last
