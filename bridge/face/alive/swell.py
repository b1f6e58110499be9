"""How an expression that is held is never quite still: above the mouth it swells and sinks, slowly.

Curves that one person holds while idling in an emotion before a phone vary there by 0.56 of their
mean (standard deviation, median of 50 curves). That is acting; a face that was told its emotion
gets a quarter of it. What rests, stays at rest, and the mouth is left to the words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.face.alive.drift import Drift

if TYPE_CHECKING:
    from random import Random

SWELL_SD = 0.15
"""Standard deviation of the strength of what is held, as a share of it."""


class Swell:
    """One character's upper face."""

    def __init__(self, random: Random) -> None:
        self._drift = Drift(random, SWELL_SD)

    def step(self, elapsed_s: float, idle: float) -> float:
        """Return what is added to the strength of the upper face, as a share of it."""
        return idle * self._drift.step(elapsed_s)
