"""Whole recordings in passes of many hops; the caches carry the past from one pass to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from models.features import HISTORY_SAMPLES
from models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from models.network import Generator

PASS_ROWS = {"cpu": 750, "cuda": 48_000}
"""Rows of one pass, of all recordings of a batch together, by device: what it works on stays in a
processor's cache, or fills a GPU, and memory does not grow with the recording."""


class Passes:
    """Several recordings of equal length, heard from their start on.

    `conditions` is float32 [batch, rows, conditions], those of the network for each row to come;
    before its first sample each recording was silent for ever.
    """

    def __init__(
        self,
        network: Generator,
        device: torch.device,
        conditions: NDArray[np.float32],
        delay_hops: int,
    ) -> None:
        self._network = network
        self._device = device
        self._conditions = conditions
        self._delays = torch.full((len(conditions),), delay_hops, device=device)
        self._rows = conditions.shape[1]
        self._row = -delay_hops
        self._most = max(1, PASS_ROWS[device.type] // len(conditions))
        # Output k answers for row k + 1 - delay: one hop of silence before makes row 0 the first.
        before = HISTORY_SAMPLES + HOP_SAMPLES
        self._heard = np.zeros((len(conditions), before), dtype=np.float32)
        first = torch.from_numpy(np.ascontiguousarray(conditions[:, 0])).to(device)
        with torch.inference_mode():
            self._caches = network.silent_caches(first, self._delays)

    def hear(self, sound: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Hear more sound, float32 [batch, samples], and yield the rows that can be told by it.

        Each is float32 [batch, n, channels]; all of them follow one another without a gap.
        """
        self._heard = np.concatenate((self._heard, sound), axis=1)
        while (hops := (self._heard.shape[1] - HISTORY_SAMPLES) // HOP_SAMPLES) > 0:
            now = min(hops, self._most, self._rows - self._row)
            if now <= 0:
                return
            rows = self._pass(self._heard[:, : HISTORY_SAMPLES + now * HOP_SAMPLES])
            self._heard = self._heard[:, now * HOP_SAMPLES :]
            early = max(0, -self._row)
            self._row += now
            if early < now:
                yield rows[:, early:]

    def finish(self) -> Iterator[NDArray[np.float32]]:
        """Hear silence until the last row can be told; yield as `hear`."""
        missing = (self._rows - self._row) * HOP_SAMPLES + HISTORY_SAMPLES - self._heard.shape[1]
        if missing >= 0:
            yield from self.hear(np.zeros((len(self._heard), missing), dtype=np.float32))

    @torch.inference_mode()
    def _pass(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        samples = torch.from_numpy(np.ascontiguousarray(sound)).to(self._device)
        hops = (sound.shape[1] - HISTORY_SAMPLES) // HOP_SAMPLES
        out, _ = self._network(samples, self._told(hops), self._delays, self._caches)
        rows: NDArray[np.float32] = self._network.clamp(out).transpose(1, 2).cpu().numpy()
        return rows

    def _told(self, hops: int) -> Tensor:
        """Return the conditions of the next rows: one set for all, or [batch, conditions, hops]."""
        places = np.clip(np.arange(self._row, self._row + hops), 0, self._rows - 1)
        told = self._conditions[:, places]
        is_constant = bool((told == told[:, :1]).all())
        told = told[:, 0] if is_constant else told.swapaxes(1, 2)
        return torch.from_numpy(np.ascontiguousarray(told)).to(self._device)
