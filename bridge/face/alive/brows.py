"""Brows accent what is stressed: a short raise that ends with the syllable after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.face.alive.motion import Pulse, Spring

if TYPE_CHECKING:
    from random import Random

    from bridge.face.alive.cues import Moment

ACCENT_FROM = 0.62
"""Prominence from which a stressed syllable may move the brows."""
CHANCE = 0.6
PULL, PULL_S = 0.55, 0.16
"""Raise at prominence 1 before the spring rounds it off, and how long it is pulled."""
BROWS_HZ = 1.5
REST_S = 0.6
"""Least time between two accents: a brow on every syllable is a nervous face."""


class Brows:
    """One character's brows. `raised`, 0..1, is how far an accent lifts both."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._pull = Pulse()
        self._spring = Spring(BROWS_HZ)
        self._since_s = REST_S
        self.raised = 0.0

    def step(self, moment: Moment) -> float:
        """Return how far the brows are raised after the moment."""
        self._since_s += moment.elapsed_s
        if moment.stressed >= ACCENT_FROM and self._since_s >= REST_S:
            self._since_s = 0.0
            if self._random.random() < CHANCE:
                self._pull.give(PULL * moment.stressed, PULL_S)
        pull = self._pull.step(moment.elapsed_s)
        self.raised = max(0.0, self._spring.step(pull, moment.elapsed_s))
        return self.raised
