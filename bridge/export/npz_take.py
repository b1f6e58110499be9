"""A take as arrays for numpy: `numpy.load("speech.npz")`.

    curves          float32 [frames, curves]    names       the names of its columns
    times_s         float64 [frames]            rate        numerator, denominator
    start_frame     frame number since midnight at that rate
    board           float32 [rows, channels]    channels    the names of its columns
    head            float32 [rows, 6]           head_axes   the names of its columns
    board_rate      numerator, denominator: rows a second of board and head

`curves` come from a rig map at the rate of the export; `board` and `head` are the take as it is.
"""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib import format as npy

from bridge.export.rows import blocks, span
from bridge.frame import HEAD_AXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from bridge.clock.rate import FrameRate
    from bridge.export.rows import Span
    from bridge.rig.rigmap import RigMap
    from bridge.takes.take import Take


class _Outlet(io.RawIOBase):
    """Takes what a ZipFile writes, and gives it on from time to time."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        self._pieces.append(bytes(piece))  # type: ignore[call-overload]
        return len(self._pieces[-1])

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def write_npz(take: Take, rigmap: RigMap, rate: FrameRate) -> Iterator[bytes]:
    """Yield the file of a take, a zip of npy files, not compressed."""
    outlet = _Outlet()
    where = span(take, rate)
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as archive:
        with archive.open("curves.npy", "w", force_zip64=True) as entry:
            shape = (where.rows, len(rigmap.outputs))
            head = {"descr": "<f4", "fortran_order": False, "shape": shape}
            npy.write_array_header_1_0(entry, head)
            for block in blocks(take, rigmap, rate):
                entry.write(block.curves.astype("<f4").tobytes())
                yield outlet.taken()
        for name, array in _small_arrays(take, rigmap, where):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                npy.write_array(entry, array, allow_pickle=False)
            yield outlet.taken()
    yield outlet.taken()


def _small_arrays(
    take: Take, rigmap: RigMap, where: Span
) -> Iterable[tuple[str, NDArray[np.generic]]]:
    yield "names", np.array(rigmap.outputs)
    yield "times_s", np.arange(where.rows) / where.rate.hz
    yield "rate", np.array([where.rate.numerator, where.rate.denominator])
    yield "start_frame", np.array(where.start)
    yield "board", take.board
    yield "channels", np.array(take.channels)
    yield "head", take.head
    yield "head_axes", np.array(HEAD_AXES)
    yield "board_rate", np.array([take.rate.numerator, take.rate.denominator])
