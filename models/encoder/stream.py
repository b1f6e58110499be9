"""The encoder at work: hop by hop, and over whole recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from models.encoder.mel import HISTORY_SAMPLES
from models.encoder.network import delay_hops
from models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from models.encoder.network import Encoder

PASS_HOPS = 1500
"""Hops of one pass over a recording: memory does not grow with its length."""


class EncoderStream:
    """One voice, heard hop by hop from silence on; what it remembers has a fixed size."""

    def __init__(self, encoder: Encoder, delay: int) -> None:
        """`delay` is an index of `models.encoder.network.RIGHT_HOPS`."""
        self._encoder = encoder
        self._delay = delay
        self.reset()

    @property
    def delay_hops(self) -> int:
        """How many hops of sound a row needs after its time began."""
        return delay_hops(self._delay)

    @torch.inference_mode()
    def reset(self) -> None:
        """Forget everything: before the next hop there was silence."""
        self._tail = torch.zeros(1, HISTORY_SAMPLES)
        self._caches = self._encoder.silent_caches(1, self._delay)

    @torch.inference_mode()
    def hear(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the rows [hops, width] that whole hops of sound, float32 [time], bring.

        The last one stands for the time `delay_hops` before the end of what was heard.
        ValueError: `sound` is not a number of whole hops, at least one.
        """
        if len(sound) % HOP_SAMPLES or not len(sound):
            raise ValueError(f"{len(sound)} samples: give whole hops of {HOP_SAMPLES}")
        heard = torch.cat((self._tail, torch.from_numpy(np.ascontiguousarray(sound))[None]), 1)
        rows: Tensor = self._encoder(heard, self._delay, self._caches)
        self._tail = heard[:, -HISTORY_SAMPLES:]
        said: NDArray[np.float32] = rows[0].numpy()
        return said


def encode(encoder: Encoder, sound: NDArray[np.float32], delay: int) -> NDArray[np.float32]:
    """Return the rows [rows, width] of a whole recording, float32 [time]; row i is at i * 20 ms.

    Silence is heard before and after it; there is a row for each hop that it begins.
    """
    late = delay_hops(delay)
    hops = -(-len(sound) // HOP_SAMPLES)
    stream = EncoderStream(encoder, delay)
    heard = np.pad(sound, (0, (hops + late) * HOP_SAMPLES - len(sound))).astype(np.float32)
    step = PASS_HOPS * HOP_SAMPLES
    passes = [stream.hear(heard[start : start + step]) for start in range(0, len(heard), step)]
    return np.concatenate(passes)[late - 1 :][:hops] if passes else np.zeros((0, 0), np.float32)
