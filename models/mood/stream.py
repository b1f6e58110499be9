"""Hearing the mood of a voice, some hops at a time; however many, the numbers are the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.emotions import EMOTIONS
from models.mood.features import recording_features
from models.mood.usual import Usual, inputs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.mood.features import VoiceFeatures
    from models.mood.onnx_network import OnnxMoodNetwork


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

    def __init__(self, network: OnnxMoodNetwork) -> None:
        self._network = network
        self._usual = Usual(network.average)
        self._past = network.silent_past

    def step(self, heard: VoiceFeatures) -> Evidence:
        """Take the features of the next hops, one or more."""
        inputs = inputs_of(heard, self._usual.hear(heard))
        odds, self._past = self._network.advance(inputs, self._past)
        return Evidence(odds, heard.voicing)


def hear(network: OnnxMoodNetwork, sound: NDArray[np.float32]) -> Evidence:
    """Return the evidence of a whole recording, mono 16 kHz [time], one row a begun hop."""
    stream = MoodStream(network)
    heard = [stream.step(features) for features in recording_features(sound)]
    odds = [np.zeros((0, len(EMOTIONS)), dtype=np.float32), *(h.odds for h in heard)]
    voicing = [np.zeros(0, dtype=np.float32), *(h.voicing for h in heard)]
    return Evidence(np.concatenate(odds), np.concatenate(voicing))
