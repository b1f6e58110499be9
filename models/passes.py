"""Whole recordings in passes of many hops; the network's past goes from one pass to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

import numpy as np

from models.engine import Past
from models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.engine import CachedNetwork, Floats


class Passes(Generic[Past]):
    """Several recordings of equal length, taken from their start on.

    `conditions` is float32 [batch, rows, conditions], those of the network for each row to come;
    before its first sample each recording was silent for ever. A pass makes `pass_rows` rows at
    most, of all recordings together, so that memory does not grow with them.
    """

    def __init__(
        self,
        network: CachedNetwork[Past],
        conditions: Floats,
        delay_hops: int,
        pass_rows: int,
    ) -> None:
        self._network = network
        self._conditions = conditions
        self._delays = np.full(len(conditions), delay_hops, dtype=np.int64)
        self._rows = conditions.shape[1]
        self._row = -delay_hops
        self._most = max(1, pass_rows // len(conditions))
        # Output k answers for row k + 1 - delay: one hop of silence before makes row 0 the first.
        self._waiting = np.zeros((len(conditions), HOP_SAMPLES), dtype=np.float32)
        self._past = network.silent_past(conditions[:, 0], self._delays)

    def hear(self, sound: Floats) -> Iterator[Floats]:
        """Take more sound, float32 [batch, samples], and yield the rows that can be made by it.

        Each is float32 [batch, n, channels]; all of them follow one another without a gap.
        """
        self._waiting = np.concatenate((self._waiting, sound), axis=1)
        while (hops := self._waiting.shape[1] // HOP_SAMPLES) > 0:
            now = min(hops, self._most, self._rows - self._row)
            if now <= 0:
                return
            samples, self._waiting = np.split(self._waiting, [now * HOP_SAMPLES], axis=1)
            rows, self._past = self._network.advance(
                samples, self._next_conditions(now), self._delays, self._past
            )
            early = max(0, -self._row)
            self._row += now
            if early < now:
                yield rows[:, early:]

    def finish(self) -> Iterator[Floats]:
        """Take silence until the last row can be made; yield as `hear`."""
        missing = (self._rows - self._row) * HOP_SAMPLES - self._waiting.shape[1]
        if missing >= 0:
            yield from self.hear(np.zeros((len(self._waiting), missing), dtype=np.float32))

    def _next_conditions(self, hops: int) -> Floats:
        places = np.clip(np.arange(self._row, self._row + hops), 0, self._rows - 1)
        return np.ascontiguousarray(self._conditions[:, places])
