"""Hearing the mood of a voice, some hops at a time; however many, the numbers are the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from models.mood.features import HISTORY_SAMPLES
from models.mood.usual import Usual
from models.timing import HOP_SAMPLES, rows_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.mood.network import MoodNetwork

PIECE_HOPS = 1500
"""Hops of a recording heard at once: half a minute, so that hours need little memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """How far a voice speaks for each emotion.

    `odds` is float32 [hops, emotions], logarithms up to one number common to a row; `voicing`,
    float32 [hops], 0..1, is how far a hop is a voice at all: what it weighs.
    """

    odds: NDArray[np.float32]
    voicing: NDArray[np.float32]


class MoodStream:
    """One voice, heard as it comes."""

    def __init__(self, network: MoodNetwork) -> None:
        self._network = network
        self.reset()

    def reset(self) -> None:
        """Forget the voice: what it was, and what it usually is."""
        self._tail = torch.zeros(1, HISTORY_SAMPLES)
        self._usual = Usual.unknown(1)
        self._caches = self._network.silent_caches()

    @torch.inference_mode()
    def step(self, samples: NDArray[np.float32]) -> Evidence:
        """Hear the next hops, float32 [hops * 320], mono 16 kHz, finite, one or more.

        Five at once take less than twice the time of one.
        """
        hops = torch.from_numpy(np.asarray(samples, dtype=np.float32))[None]
        sound = torch.cat((self._tail, hops), 1)
        odds, voicing = self._network(sound, self._usual, self._caches)
        self._tail = sound[:, -HISTORY_SAMPLES:]
        return Evidence(odds[0].T.numpy(), voicing[0].numpy())


def hear(network: MoodNetwork, sound: NDArray[np.float32]) -> Evidence:
    """Return the evidence of a whole recording, mono 16 kHz [time], one row a begun hop."""
    rows = rows_of(len(sound))
    padded = np.zeros(rows * HOP_SAMPLES, dtype=np.float32)
    padded[: len(sound)] = sound
    stream = MoodStream(network)
    size = PIECE_HOPS * HOP_SAMPLES
    heard = [stream.step(padded[i : i + size]) for i in range(0, len(padded), size)]
    odds = [np.zeros((0, network.head.out_channels), dtype=np.float32), *(h.odds for h in heard)]
    voicing = [np.zeros(0, dtype=np.float32), *(h.voicing for h in heard)]
    return Evidence(np.concatenate(odds), np.concatenate(voicing))
