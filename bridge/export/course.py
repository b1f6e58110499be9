"""The curves of a take, kept on disk so that an export can pass over them several times."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

import numpy as np

from bridge.errors import Problem, UserError
from bridge.export.rows import blocks, span
from bridge.rig.load import load_rigmap
from bridge.rig.tables import ARKIT_MAP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bridge.clock.rate import FrameRate
    from bridge.export.formats import ExportSettings
    from bridge.takes.take import Take

PASS_ROWS: Final = 2048
"""Rows which are in memory during a pass."""


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """`rows` rows of the 61 curves of `arkit` at a rate.

    `moved` [61] tells which of them are ever other than 0.
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
def open_course(take: Take, settings: ExportSettings) -> Iterator[Course]:
    """Make the curves of a take at the rate of an export; on leaving they are gone.

    UserError where the temporary folder has no room for them.
    """
    rigmap = settings.rigmap or load_rigmap(ARKIT_MAP)
    moved = np.zeros(len(rigmap.outputs), bool)
    with tempfile.TemporaryFile() as file:
        try:
            for block in blocks(take, rigmap, settings.rate):
                moved |= block.curves.any(axis=0)
                file.write(block.curves.astype(np.float32).tobytes())
            file.flush()
        except OSError as error:
            what = f"cannot be written: {error.strerror}"
            raise UserError(Problem(tempfile.gettempdir(), what, "make room there")) from None
        yield Course(settings.rate, span(take, settings.rate).rows, moved, file)
