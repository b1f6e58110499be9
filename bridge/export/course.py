"""The curves of a take, kept on disk so that an export can pass over them several times."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Final

import numpy as np

from bridge.export.rows import blocks, span
from bridge.rig.load import load_rigmap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from numpy.typing import NDArray

    from bridge.export.formats import ExportSettings
    from bridge.takes.take import Take

    Floats = NDArray[np.float32]

ARKIT: Final = "livelinkface61"
PASS_ROWS: Final = 2048
"""Rows which are in memory during a pass."""


class Course:
    """The `livelinkface61` curves of a take at the rate of an export.

    A context manager: the curves are made on entering, and gone on leaving. `rows` is their count,
    `moved` tells which of the 61 are ever other than 0.
    """

    def __init__(self, take: Take, settings: ExportSettings) -> None:
        self.rate = settings.rate
        self.rows = span(take, settings.rate).rows
        self._take = take
        self._rigmap = settings.rigmap or load_rigmap(ARKIT)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._width = len(self._rigmap.outputs)
        self.moved = np.zeros(self._width, bool)

    def __enter__(self) -> Course:
        for block in blocks(self._take, self._rigmap, self.rate):
            self.moved |= block.curves.any(axis=0)
            self._file.write(np.ascontiguousarray(block.curves, np.float32).tobytes())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def blocks(self) -> Iterator[Floats]:
        """Yield all rows from the first on, float32 [n, 61] with n up to `PASS_ROWS`."""
        size = PASS_ROWS * self._width * np.dtype(np.float32).itemsize
        self._file.seek(0)
        while data := self._file.read(size):
            yield np.frombuffer(data, np.float32).reshape(-1, self._width)
