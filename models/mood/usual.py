"""What a voice usually is, learnt while it speaks: a mood is a way of differing from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.mel import BANDS
from models.mood.features import LEVEL, PITCH, TRAITS, VoiceFeatures

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIRST_HOPS = 40.0
"""Hops of an average voice that are supposed to have been heard first. Of the level nothing is:
it depends on the microphone."""
MEMORY_HOPS = 6000.0
"""Voiced hops after which what was heard before counts a third: two minutes of voice."""
PITCH_GAIN = 3.0
"""A difference of a third of an octave is 1 to the network."""


class Usual:
    """What one voice had so far; `average` [TRAITS] is what all voices have."""

    def __init__(self, average: NDArray[np.float32]) -> None:
        self._average = average
        self._sums = np.zeros(TRAITS)
        self._hops = 0.0

    def hear(self, heard: VoiceFeatures) -> NDArray[np.float32]:
        """Take the next hops; return how their traits differ from usual, [hops, TRAITS].

        A hop counts by its voicing and is part of the usual it is held against.
        """
        sums = np.empty(heard.traits.shape)
        hops = np.empty((len(sums), 1))
        for place, voiced in enumerate(heard.voicing.tolist()):
            if voiced:
                keep = 1.0 - voiced / MEMORY_HOPS
                self._hops = keep * self._hops + voiced
                self._sums = keep * self._sums + voiced * heard.traits[place]
            sums[place], hops[place] = self._sums, self._hops
        usual = usual_of(sums, hops, heard.traits, self._average)
        return np.asarray(heard.traits - usual, dtype=np.float32)


def usual_of(
    sums: NDArray[Any], hops: NDArray[Any], now: NDArray[np.float32], average: NDArray[np.float32]
) -> NDArray[Any]:
    """Return usual traits [n, TRAITS] of sums of them [n, TRAITS] and the hops [n, 1] they were in.

    Before any voice the usual level is the one `now`, [n, TRAITS].
    """
    usual = (sums + FIRST_HOPS * average) / (hops + FIRST_HOPS)
    level = sums[:, LEVEL] / np.maximum(hops[:, 0], 1e-6)
    usual[:, LEVEL] = np.where(hops[:, 0] > 0.0, level, now[:, LEVEL])
    return np.asarray(usual)


def inputs_of(heard: VoiceFeatures, differences: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the network hears, [hops, INPUTS]; the level itself is not in it.

    `differences` are those of the traits from usual. Pitch counts as far as there is a voice.
    """
    pitch = PITCH_GAIN * differences[:, PITCH:] * heard.voicing[:, None]
    parts = (heard.traits[:, :BANDS], differences[:, :PITCH], pitch, heard.motions)
    return np.concatenate(parts, axis=1)
