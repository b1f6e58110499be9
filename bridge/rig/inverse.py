"""The inverse of a rig map: the face whose curves come closest to given ones.

A rig map has more sources than curves, so many faces have the same curves; of these it is one near
rest. What the curves do not tell, such as the shape of the tongue, rests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.board import CHANNELS
from cstalk_bridge.rig.curves import neutral_board, neutral_head

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cstalk_bridge.rig.rigmap import RigMap

    Floats = NDArray[np.float32]


BLOCK_ROWS = 1024
"""Rows that are solved at once."""

MAX_STEPS = 150
SETTLED = 2e-4
"""Change in a step, of a channel, below which a solution stands."""

LEAST_FACTOR = 0.02
"""Factor of a product below which the product tells nothing of the other factor."""


class InverseMap:
    """The inverse of one rig map.

    A face is its rest plus p less n, where p and n, both at least 0, are the ways of each axis up
    and down. Curves are linear in these: a response counts as the line between its ends.
    """

    def __init__(self, rigmap: RigMap) -> None:
        self._rigmap = rigmap
        self._axes = np.unique(rigmap.sources.axes)
        self._rest = np.concatenate((neutral_board(), neutral_head()))
        low, high = self._rest.copy(), self._rest.copy()
        low[rigmap.sources.axes], high[rigmap.sources.axes] = (
            rigmap.sources.minimum,
            rigmap.sources.maximum,
        )
        used = self._rest[self._axes]
        self._room = np.concatenate((high[self._axes] - used, used - low[self._axes]))
        self._base = self._values(self._rest[None])[0]
        self._slopes = self._probed()
        norm = float(np.linalg.norm(self._slopes, 2))
        self._step = np.float32(1.0 / max(norm, 1e-3) ** 2)

    def faces(self, curves: Floats) -> tuple[Floats, Floats]:
        """Return boards, float32 [time, 174], and heads, [time, 6], for `curves` [time, outputs].

        Each channel stays within its range.
        """
        axes = np.tile(self._rest, (len(curves), 1))
        for first in range(0, len(curves), BLOCK_ROWS):
            block = slice(first, first + BLOCK_ROWS)
            ways = self._solved(*self._wanted(curves[block]))
            up, down = np.split(ways, 2, axis=1)
            axes[block, self._axes] += up - down
        return axes[:, : len(CHANNELS)], axes[:, len(CHANNELS) :]

    def _values(self, axes: Floats) -> Floats:
        return self._rigmap.raw_values(axes[:, : len(CHANNELS)], axes[:, len(CHANNELS) :])

    def _probed(self) -> Floats:
        """Return what each way of an axis changes in the rows of the map, [ways, rows]."""
        probes = np.tile(self._rest, (len(self._room), 1))
        signs = np.repeat((1, -1), len(self._axes))
        probes[np.arange(len(probes)), np.tile(self._axes, 2)] += signs * self._room
        room = np.where(self._room > 0, self._room, 1)[:, None]
        return np.asarray((self._values(probes) - self._base) / room, dtype=np.float32)

    def _solved(self, wanted: Floats, counts: Floats) -> Floats:
        """Return the ways of the axes, float32 [time, ways].

        Accelerated projected gradients (Beck and Teboulle, SIAM J. Imaging Sciences 2009), from
        rest.
        """
        low, high = self._rigmap.minimum, self._rigmap.maximum
        ways = np.zeros((len(wanted), len(self._room)), dtype=np.float32)
        ahead, momentum = ways, 1.0
        for _ in range(MAX_STEPS):
            values = np.clip(ahead @ self._slopes + self._base, low, high)
            slope = ((values - wanted) * counts) @ self._slopes.T
            stepped = np.clip(ahead - self._step * slope, 0, self._room)
            change = stepped - ways
            following = (1.0 + (1.0 + 4.0 * momentum**2) ** 0.5) / 2.0
            ahead = stepped + np.float32((momentum - 1.0) / following) * change
            ways, momentum = stepped, following
            if float(np.abs(change).max(initial=0)) < SETTLED:
                break
        return ways

    def _wanted(self, curves: Floats) -> tuple[Floats, Floats]:
        """Return the values of the map's rows, [time, rows], and 1 where they count, else 0."""
        shape = (len(curves), len(self._base))
        wanted, counts = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        outputs = len(self._rigmap.outputs)
        wanted[:, :outputs], counts[:, :outputs] = curves, 1.0
        for row, factor in self._rigmap.products.tolist():
            known = (wanted[:, factor] > LEAST_FACTOR) & (counts[:, factor] > 0)
            share = wanted[:, row] / np.where(known, wanted[:, factor], np.float32(1))
            wanted[:, row] = np.clip(share, self._rigmap.minimum[row], self._rigmap.maximum[row])
            counts[:, row] *= known
        return wanted, counts
