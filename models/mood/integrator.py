"""From evidence of single hops to a mood that holds: slow, steady, and neutral without a reason."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from models.emotions import EMOTIONS
from models.timing import HOP_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.mood.stream import Evidence

MEMORY_S = 2.5
"""Time constant, in seconds of voice, with which older evidence counts less."""
FORGET_S = 25.0
"""Time constant, in seconds of any kind, with which a mood is forgotten by one who is silent."""
DOUBT_S = 0.4
"""Seconds of neutral voice that are supposed to have been heard at any time."""
TRUST = 3.0
"""What the mean evidence is multiplied by: seconds of voice tell more than the one clip, a second
and a half of voice, by which the odds were learnt."""
NEUTRAL_ODDS = 2.3
"""Logarithm of the odds of neutral against each emotion before anything is heard."""
SHOWN_FROM, SHOWN_FULL = 0.4, 0.75
"""Probability from which an emotion begins to show, and at which it shows in full."""
HOPS_AT_ONCE = 5
"""Hops that are best heard at once: a mood does not hurry, and one by one they cost thrice that."""
EASE_S = 0.8
"""Time constant of what is shown, twice over: no step and no corner."""

SHOWN = np.array([0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0], dtype=np.float64)
"""The emotions that can show, in the order of `EMOTIONS`.

Fear and disgust compete for the evidence but do not show: heard in strangers' voices they are
wrong more often than right.
"""

_NEUTRAL = EMOTIONS.index("neutral")
_EASE = 1.0 - math.exp(-HOP_S / EASE_S)
_FORGET = math.exp(-HOP_S / FORGET_S)


class MoodIntegrator:
    """The mood of one voice; `take` is called with its hops in order."""

    def __init__(self) -> None:
        self._sum = np.zeros(len(EMOTIONS))
        self._heard_s = 0.0
        self._waiting = np.zeros(len(EMOTIONS))
        self._shown = np.zeros(len(EMOTIONS))

    def take(self, evidence: Evidence) -> NDArray[np.float32]:
        """Take the evidence of some hops; return the mood after each, float32 [hops, emotions].

        Weights are 0..1; neutral's is always 0, for the neutral face is the one without any.
        Evidence that is not finite is no evidence.
        """
        shown = np.zeros(evidence.odds.shape, dtype=np.float32)
        shares = np.clip(
            (self._probable(evidence) - SHOWN_FROM) / (SHOWN_FULL - SHOWN_FROM), 0.0, 1.0
        )
        for place, goal in enumerate(SHOWN * shares):
            self._waiting += _EASE * (goal - self._waiting)
            self._shown += _EASE * (self._waiting - self._shown)
            shown[place] = self._shown
        return shown

    def _probable(self, evidence: Evidence) -> NDArray[np.float64]:
        """Take evidence; return how probable each emotion is after each hop, rows of sum 1."""
        is_finite = np.asarray(np.isfinite(evidence.odds).all(axis=1, keepdims=True))
        odds = np.where(is_finite, evidence.odds, 0.0)
        weights_s = HOP_S * evidence.voicing * is_finite[:, 0]
        told = weights_s[:, None] * (odds - odds.mean(axis=1, keepdims=True))
        keeps = _FORGET * np.exp(-weights_s / MEMORY_S)
        sums, heard_s = np.zeros(odds.shape), np.zeros((len(odds), 1))
        hops = zip(keeps.tolist(), weights_s.tolist(), told, strict=True)
        for place, (keep, weight_s, new) in enumerate(hops):
            self._sum = keep * self._sum + new
            self._heard_s = keep * self._heard_s + weight_s
            sums[place], heard_s[place] = self._sum, self._heard_s
        scores = TRUST * sums / (heard_s + DOUBT_S)
        scores[:, _NEUTRAL] += NEUTRAL_ODDS
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def course(evidence: Evidence) -> NDArray[np.float32]:
    """Return the mood at each hop of a recording, float32 [hops, emotions], weights 0..1."""
    return MoodIntegrator().take(evidence)
