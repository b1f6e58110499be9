"""Slow movement of its own: how a body at rest is not still."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bridge.face.alive.motion import Spring

if TYPE_CHECKING:
    from random import Random

DRIFT_S = (1.5, 5.0)
"""A new goal is drawn after a time between these."""
DRIFT_HZ = 0.22
LARGEST = 2.5
"""Goals are not further from rest than this many standard deviations."""
_SPREAD = 1.4
"""Goals spread wider than what the spring makes of them: measured, so that `sd` comes out."""

SWAY_S = (0.25, 0.5)
SWAY_HZ = 1.1
SWAY_FROM = 0.1
"""Loudness from which a voice moves the head; below it the head comes to rest where it is."""

BREATHS_HZ = (0.2, 0.3)
"""12 to 18 breaths a minute, each of its own length."""
INHALE_SHARE = 0.4
"""Breathing in is shorter than breathing out."""


class Drift:
    """A number that wanders about 0 with the standard deviation `sd`, without any jitter."""

    def __init__(self, random: Random, sd: float) -> None:
        self._random = random
        self._spread = _SPREAD * sd
        self._spring = Spring(DRIFT_HZ)
        self._goal = 0.0
        self._left_s = random.uniform(*DRIFT_S)

    def step(self, elapsed_s: float) -> float:
        """Return the number after `elapsed_s` more."""
        self._left_s -= elapsed_s
        if self._left_s <= 0.0:
            self._left_s = self._random.uniform(*DRIFT_S)
            drawn = self._random.gauss(0.0, 1.0)
            self._goal = self._spread * min(max(drawn, -LARGEST), LARGEST)
        return self._spring.step(self._goal, elapsed_s)


class Sway:
    """A number that moves while a voice is loud, by as much as it is loud, and rests with it."""

    def __init__(self, random: Random, sd: float) -> None:
        self._random = random
        self._sd = sd
        self._spring = Spring(SWAY_HZ)
        self._goal = 0.0
        self._left_s = 0.0

    def step(self, loudness: float, elapsed_s: float) -> float:
        """Return the number after `elapsed_s` more."""
        self._left_s -= elapsed_s
        if self._left_s <= 0.0 and loudness > SWAY_FROM:
            self._left_s = self._random.uniform(*SWAY_S)
            drawn = self._random.gauss(0.0, 1.0)
            self._goal = self._sd * loudness * min(max(drawn, -LARGEST), LARGEST)
        return self._spring.step(self._goal, elapsed_s)


class Breath:
    """The chest, 0 empty to 1 full."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._phase = random.random()
        self._rate_hz = random.uniform(*BREATHS_HZ)

    def step(self, elapsed_s: float) -> float:
        """Return how full the chest is after `elapsed_s` more."""
        self._phase += self._rate_hz * elapsed_s
        if self._phase >= 1.0:
            self._phase -= 1.0
            self._rate_hz = self._random.uniform(*BREATHS_HZ)
        if self._phase < INHALE_SHARE:
            share = self._phase / INHALE_SHARE
        else:
            share = (1.0 - self._phase) / (1.0 - INHALE_SHARE)
        return 0.5 - 0.5 * math.cos(math.pi * share)
