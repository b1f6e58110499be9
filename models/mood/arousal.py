"""How aroused a voice is against how it usually is: louder and higher. Nothing is learnt for it.

Loudness and pitch that rise together are the best known signs of arousal in a voice (Scherer 2003,
Juslin and Laukka 2003). It tells no emotion: anger and joy are both loud.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from models.mel import SPREAD
from models.mood.features import LEVEL, PITCH, recording_features
from models.timing import HOP_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.mood.features import VoiceFeatures

RECENT_S = 2.0
"""Time constant, in seconds of voice, of what counts as now."""
USUAL_S = 90.0
"""Time constant, in seconds of voice, of what a voice usually does."""
KNOWN_S = 4.0
"""Seconds of voice after which half is made of how it differs; before, what is usual is a guess."""
FULL_DB, FULL_OCTAVES = 8.0, 0.5
"""A rise in level, or in pitch, that alone is half of full arousal."""
CALM = 0.2
"""What a voice differs anyway; less than this is nothing."""
FORGET_S = 8.0
"""Time constant with which arousal ebbs in one who is silent."""
EASE_S = 0.4
"""Time constant of what is told."""
_DB = 10.0 / math.log(10.0) * SPREAD
"""Decibels in a unit of the level."""


class Arousal:
    """The arousal of one voice, heard as it comes."""

    def __init__(self) -> None:
        self._usual = 0.0
        self._recent = 0.0
        self._heard_s = 0.0
        self._goal = 0.0
        self._told = 0.0

    def step(self, heard: VoiceFeatures) -> list[float]:
        """Take the features of the next hops; return arousal -1..1 after each."""
        levels, pitches = heard.traits[:, LEVEL], heard.traits[:, PITCH]
        tones = levels * (_DB / FULL_DB) + pitches * (1.0 / FULL_OCTAVES)
        return list(map(self._take, tones.tolist(), heard.voicing.tolist()))

    def _take(self, tone: float, voicing: float) -> float:
        """Take level and pitch of a hop, together, in units of half an arousal."""
        if voicing > 0.0:
            voiced_s = HOP_S * voicing
            self._heard_s += voiced_s
            self._usual += _share(voiced_s, USUAL_S, self._heard_s) * (tone - self._usual)
            self._recent += _share(voiced_s, RECENT_S, self._heard_s) * (tone - self._recent)
            known = self._heard_s / (self._heard_s + KNOWN_S)
            above = 0.5 * known * (self._recent - self._usual)
            beyond = math.copysign(max(0.0, abs(above) - CALM), above)
            self._goal = min(max(beyond, -1.0), 1.0)
        else:
            self._goal -= HOP_S / FORGET_S * self._goal
        self._told += HOP_S / EASE_S * (self._goal - self._told)
        return self._told


def arousal_course(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return arousal -1..1 of a whole recording, mono 16 kHz [time], one value a begun hop."""
    arousal = Arousal()
    return np.array([one for heard in recording_features(sound) for one in arousal.step(heard)])


def _share(voiced_s: float, time_s: float, heard_s: float) -> float:
    """Return how far a mean goes to what is new; at first all counts alike."""
    return max(voiced_s / time_s, voiced_s / heard_s)
