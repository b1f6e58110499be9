"""The curves of a take at the frame rate of an export.

They come block by block, so that hours need no memory, or are kept on disk for exports that
pass over them several times.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

import numpy as np

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.rig import ARKIT_MAP
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.timecode.smpte import DEFAULT_RATE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.rig.rigmap import RigMap
    from cstalk_bridge.takes.take import Take
    from cstalk_bridge.timecode.smpte import FrameRate

    Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """`rigmap` None is the format's own; `head` is the GLB file of a head, None for ours."""

    rate: FrameRate = DEFAULT_RATE
    rigmap: RigMap | None = None
    head: Path | None = None


BLOCK_ROWS: Final = 256
"""Rows of a block: few enough that what is made of them stays in a processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some rows: number `first` since the beginning, and `curves`, float32 [n, outputs]."""

    first: int
    curves: Floats

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The number of each row since the beginning."""
        return self.first + np.arange(len(self.curves))


def export_blocks(take: Take, rigmap: RigMap, rate: FrameRate) -> Iterator[Block]:
    """Yield all rows of a take at a rate, as the curves of a rig map, smoothed where it says so."""
    applier = rigmap.applier()
    rows = take.span(rate).rows
    for first in range(0, rows, BLOCK_ROWS):
        numbers = np.arange(first, min(first + BLOCK_ROWS, rows))
        part = take.between(np.asarray(numbers * (take.rate.hz / rate.hz)))
        yield Block(first, applier.apply_sequence(part.whole_board(), part.head, numbers / rate.hz))


PASS_ROWS: Final = 2048
"""Rows which are in memory during a pass."""


@dataclass(frozen=True, slots=True, eq=False)
class CurveSequence:
    """`rows` rows of the 61 curves of `arkit` at a rate.

    `moved` [61] marks those that are ever other than 0.
    """

    rate: FrameRate
    rows: int
    moved: NDArray[np.bool_]
    file: IO[bytes]

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield all rows from the first on, float32 [n, 61] with n up to `PASS_ROWS`."""
        width = len(self.moved)
        self.file.seek(0)
        while data := self.file.read(PASS_ROWS * width * np.dtype(np.float32).itemsize):
            yield np.frombuffer(data, np.float32).reshape(-1, width)


@contextmanager
def open_curve_sequence(take: Take, settings: ExportConfig) -> Iterator[CurveSequence]:
    """Make the curves of a take at the rate of an export; on leaving they are gone.

    UserError where the temporary folder has no room for them.
    """
    rigmap = settings.rigmap or load_rigmap(ARKIT_MAP)
    moved = np.zeros(len(rigmap.outputs), bool)
    with tempfile.TemporaryFile() as file:
        try:
            for block in export_blocks(take, rigmap, settings.rate):
                moved |= block.curves.any(axis=0)
                file.write(block.curves.astype(np.float32).tobytes())
            file.flush()
        except OSError as error:
            what = f"cannot be written: {error.strerror}"
            raise UserError(Problem(tempfile.gettempdir(), what, "free space there")) from None
        yield CurveSequence(settings.rate, take.span(settings.rate).rows, moved, file)
