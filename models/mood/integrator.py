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


class MoodIntegrator:
    """The mood of one voice; `step` is called for each hop, in order."""

    def __init__(self) -> None:
        self._sum = np.zeros(len(EMOTIONS))
        self._heard_s = 0.0
        self._waiting = np.zeros(len(EMOTIONS))
        self._shown = np.zeros(len(EMOTIONS))
        self._ease = 1.0 - math.exp(-HOP_S / EASE_S)
        self._forget = math.exp(-HOP_S / FORGET_S)

    def step(self, odds: NDArray[np.float32], voicing: float) -> NDArray[np.float32]:
        """Take the evidence of a hop, [emotions], and its voicing 0..1.

        Returns weights 0..1, float32 [emotions]; neutral's is always 0, for the neutral face is
        the one without any. Evidence that is not finite is no evidence.
        """
        weight_s = HOP_S * voicing if np.isfinite(odds).all() else 0.0
        keep = self._forget * math.exp(-weight_s / MEMORY_S)
        self._sum *= keep
        self._heard_s *= keep
        if weight_s > 0.0:
            self._sum += weight_s * (odds - odds.mean())
            self._heard_s += weight_s
        goal = SHOWN * np.clip(
            (self.probabilities - SHOWN_FROM) / (SHOWN_FULL - SHOWN_FROM), 0.0, 1.0
        )
        self._waiting += self._ease * (goal - self._waiting)
        self._shown += self._ease * (self._waiting - self._shown)
        return self._shown.astype(np.float32)

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """How probable each emotion is by all evidence so far, float64 [emotions], sum 1."""
        scores = TRUST * self._sum / (self._heard_s + DOUBT_S)
        scores[_NEUTRAL] += NEUTRAL_ODDS
        shares = np.exp(scores - scores.max())
        return np.asarray(shares / shares.sum())


def course(evidence: Evidence) -> NDArray[np.float32]:
    """Return the mood at each hop of a recording, float32 [hops, emotions], weights 0..1."""
    integrator = MoodIntegrator()
    steps = zip(evidence.odds, evidence.voicing.tolist(), strict=True)
    rows = [integrator.step(odds, voicing) for odds, voicing in steps]
    return np.stack(rows) if rows else np.zeros((0, len(EMOTIONS)), dtype=np.float32)
