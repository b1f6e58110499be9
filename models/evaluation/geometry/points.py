"""The few points of a head that are measured, at rest and under each ARKit curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Places = NDArray[np.intp]

COLUMN_SHARES = (-0.6, -0.3, 0.0, 0.3, 0.6)
"""Where the lip gap is measured: shares of the mouth's half width, from the right to the left."""
MIDDLE = COLUMN_SHARES.index(0.0)
BROWS = ("inner_left", "outer_left", "inner_right", "outer_right")
ROWS_AT_ONCE = 2000


@dataclass(frozen=True, slots=True, eq=False)
class FacePoints:
    """Points in millimetres: +x to the character's left, +y up, +z forward.

    `rest` is float32 [points, 3], `deltas` float32 [curves, points, 3]: what each ARKit curve at 1
    adds. The other fields are places in the points: `upper_lip` and `lower_lip` of each column of
    `COLUMN_SHARES`, the mouth's `corners` (left, right), the cutting edges of the central incisors
    (`upper_teeth`, `lower_teeth`), the tip of the `tongue` (none where nothing moves it out), and
    the `brows` by `BROWS`.
    """

    rest: Floats
    deltas: Floats
    upper_lip: tuple[Places, ...]
    lower_lip: tuple[Places, ...]
    corners: tuple[Places, Places]
    upper_teeth: Places
    lower_teeth: Places
    tongue: Places
    brows: Mapping[str, Places]

    def posed(self, scores: Floats) -> Iterator[Floats]:
        """Yield positions [rows, points, 3] under `scores` [rows, curves], some rows at a time."""
        flat = self.deltas.reshape(len(self.deltas), -1)
        for first in range(0, len(scores), ROWS_AT_ONCE):
            moved = scores[first : first + ROWS_AT_ONCE].astype(np.float32) @ flat
            yield moved.reshape(-1, *self.rest.shape) + self.rest
