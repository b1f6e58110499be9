"""Motion of a number without a jump: easing, springs, pulses, drift, sway and breath."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random


def ease(share: float) -> float:
    """Return the smoothstep 3x^2 - 2x^3 of `share` held to 0..1: it starts and ends at rest."""
    x = min(max(share, 0.0), 1.0)
    return x * x * (3.0 - 2.0 * x)


def glide(share: float) -> float:
    """Return the minimum-jerk course 10x^3 - 15x^4 + 6x^5 of `share` held to 0..1.

    Source: Flash and Hogan 1985. It starts and ends at rest and without acceleration.
    """
    x = min(max(share, 0.0), 1.0)
    return x * x * x * (10.0 - x * (15.0 - 6.0 * x))


class Spring:
    """A critically damped spring: it follows a target without overshoot.

    `rate_hz` is its natural frequency; a step of the target is half done after 0.27 / `rate_hz`
    seconds. The step is exact for a target that stands still within it, whatever its length.
    """

    __slots__ = ("_omega", "speed", "value")

    def __init__(self, rate_hz: float, value: float = 0.0) -> None:
        self._omega = 2.0 * math.pi * rate_hz
        self.value = value
        self.speed = 0.0

    def step(self, target: float, elapsed_s: float) -> float:
        """Advance by `elapsed_s` towards `target`; return the value."""
        offset = self.value - target
        push = (self.speed + self._omega * offset) * elapsed_s
        decay = math.exp(-self._omega * elapsed_s)
        self.value = target + (offset + push) * decay
        self.speed = (self.speed - self._omega * push) * decay
        return self.value


class Pulse:
    """A pull that begins at once and ends after a set time; for a spring to round off."""

    __slots__ = ("_height", "_left_s")

    def __init__(self) -> None:
        self._height = 0.0
        self._left_s = 0.0

    def start(self, height: float, length_s: float) -> None:
        """Begin anew; what is left of the last pull is forgotten."""
        self._height = height
        self._left_s = length_s

    def step(self, elapsed_s: float) -> float:
        """Return the pull of the next `elapsed_s`, its mean where it ends within."""
        if self._left_s <= 0.0:
            return 0.0
        share = min(1.0, self._left_s / elapsed_s) if elapsed_s > 0.0 else 1.0
        self._left_s -= elapsed_s
        return self._height * share


DRIFT_S = (1.5, 5.0)
"""A new goal is drawn after a time between these."""
DRIFT_HZ = 0.22
MAX_DRIFT_SD = 2.5
"""Goals are not further from rest than this many standard deviations."""
_DRIFT_SPREAD = 1.4
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
        self._spread = _DRIFT_SPREAD * sd
        self._spring = Spring(DRIFT_HZ)
        self._goal = 0.0
        self._left_s = random.uniform(*DRIFT_S)

    def step(self, elapsed_s: float) -> float:
        """Return the number after `elapsed_s` more."""
        self._left_s -= elapsed_s
        if self._left_s <= 0.0:
            self._left_s = self._random.uniform(*DRIFT_S)
            drawn = self._random.gauss(0.0, 1.0)
            self._goal = self._spread * min(max(drawn, -MAX_DRIFT_SD), MAX_DRIFT_SD)
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
            self._goal = self._sd * loudness * min(max(drawn, -MAX_DRIFT_SD), MAX_DRIFT_SD)
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


EXPRESSION_DRIFT_SD = 0.15
"""Standard deviation of the strength of what is held, as a share of it."""


class ExpressionDrift:
    """One character's upper face."""

    def __init__(self, random: Random) -> None:
        self._drift = Drift(random, EXPRESSION_DRIFT_SD)

    def step(self, elapsed_s: float, idle: float) -> float:
        """Return what is added to the strength of the upper face, as a share of it."""
        return idle * self._drift.step(elapsed_s)
