"""Smooth motion of a number: easing, springs, pulses, drift, sway and breath."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from random import Random

    from numpy.typing import NDArray


def ease(share: float) -> float:
    """Return the smoothstep 3x^2 - 2x^3 of `share`, clamped to 0..1: it starts and ends at rest."""
    x = min(max(share, 0.0), 1.0)
    return x * x * (3.0 - 2.0 * x)


def glide(share: float) -> float:
    """Return the minimum-jerk trajectory 10x^3 - 15x^4 + 6x^5 of `share`, clamped to 0..1.

    It starts and ends at rest and without acceleration (Flash and Hogan 1985).
    """
    x = min(max(share, 0.0), 1.0)
    return x * x * x * (10.0 - x * (15.0 - 6.0 * x))


class Spring:
    """A critically damped spring: it follows a target without overshoot.

    `rate_hz` is its natural frequency; a step of the target is half done after 0.27 / `rate_hz`
    seconds. A step is exact for a target that is constant during it, whatever its length.
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


class SpringBank:
    """Critically damped springs of one natural frequency, [count], each as a `Spring`."""

    __slots__ = ("_omega", "_speeds", "values")

    def __init__(self, rate_hz: float, values: NDArray[np.float64]) -> None:
        self._omega = 2.0 * math.pi * rate_hz
        self.values = values
        self._speeds: NDArray[np.float64] = np.zeros(len(values))

    def step(self, targets: NDArray[np.float64], elapsed_s: float) -> NDArray[np.float64]:
        """Advance by `elapsed_s` towards targets [count]; return the values, a new array."""
        offsets = self.values - targets
        pushes = (self._speeds + self._omega * offsets) * elapsed_s
        decay = math.exp(-self._omega * elapsed_s)
        self.values = targets + (offsets + pushes) * decay
        self._speeds = (self._speeds - self._omega * pushes) * decay
        return self.values


class Pulse:
    """A rectangular pulse, to be smoothed by a spring."""

    __slots__ = ("_height", "_left_s")

    def __init__(self) -> None:
        self._height = 0.0
        self._left_s = 0.0

    def start(self, height: float, length_s: float) -> None:
        """Start a pulse; it replaces the rest of the last one."""
        self._height = height
        self._left_s = length_s

    def step(self, elapsed_s: float) -> float:
        """Return the mean height over the next `elapsed_s`."""
        if self._left_s <= 0.0:
            return 0.0
        share = min(1.0, self._left_s / elapsed_s) if elapsed_s > 0.0 else 1.0
        self._left_s -= elapsed_s
        return self._height * share


DRIFT_S = (1.5, 5.0)
"""Range of the time after which a new goal is drawn."""
DRIFT_HZ = 0.22
MAX_DRIFT_SD = 2.5
"""Limit of goals, in standard deviations."""
_DRIFT_SPREAD = 1.4
"""Spread of goals relative to that of the spring's value, measured, so that the result has `sd`."""

SWAY_S = (0.25, 0.5)
SWAY_HZ = 1.1
SWAY_FROM = 0.1
"""Loudness from which the head moves; below it no new goal is drawn."""

BREATHS_HZ = (0.2, 0.3)
"""12 to 18 breaths per minute; each has its own duration."""
INHALE_SHARE = 0.4
"""Share of a breath that is inhalation."""


class Drift:
    """A smooth random number around 0 with the standard deviation `sd`."""

    def __init__(self, random: Random, sd: float) -> None:
        self._random = random
        self._spread = _DRIFT_SPREAD * sd
        self._spring = Spring(DRIFT_HZ)
        self._goal = 0.0
        self._left_s = random.uniform(*DRIFT_S)

    def step(self, elapsed_s: float) -> float:
        """Advance by `elapsed_s`; return the number."""
        self._left_s -= elapsed_s
        if self._left_s <= 0.0:
            self._left_s = self._random.uniform(*DRIFT_S)
            drawn = self._random.gauss(0.0, 1.0)
            self._goal = self._spread * min(max(drawn, -MAX_DRIFT_SD), MAX_DRIFT_SD)
        return self._spring.step(self._goal, elapsed_s)


class DriftBank:
    """Independent drifts around 0 with standard deviation 1, [count].

    They begin apart from 0, so that no face starts at rest.
    """

    def __init__(self, random: Random, count: int) -> None:
        self._random = random
        self._goals = _DRIFT_SPREAD * np.array([self._draw() for _ in range(count)])
        self._springs = SpringBank(DRIFT_HZ, self._goals / _DRIFT_SPREAD)
        self._left_s = np.array([random.uniform(0.0, DRIFT_S[1]) for _ in range(count)])

    def step(self, elapsed_s: float) -> NDArray[np.float64]:
        """Advance by `elapsed_s`; return the numbers."""
        self._left_s -= elapsed_s
        if self._left_s.min() <= 0.0:
            for place in np.flatnonzero(self._left_s <= 0.0):
                self._left_s[place] = self._random.uniform(*DRIFT_S)
                self._goals[place] = _DRIFT_SPREAD * self._draw()
        return self._springs.step(self._goals, elapsed_s)

    def _draw(self) -> float:
        return min(max(self._random.gauss(0.0, 1.0), -MAX_DRIFT_SD), MAX_DRIFT_SD)


class Sway:
    """A smooth random number that moves in proportion to loudness, and rests in silence."""

    def __init__(self, random: Random, sd: float) -> None:
        self._random = random
        self._sd = sd
        self._spring = Spring(SWAY_HZ)
        self._goal = 0.0
        self._left_s = 0.0

    def step(self, loudness: float, elapsed_s: float) -> float:
        """Advance by `elapsed_s` at `loudness`, 0..1; return the number."""
        self._left_s -= elapsed_s
        if self._left_s <= 0.0 and loudness > SWAY_FROM:
            self._left_s = self._random.uniform(*SWAY_S)
            drawn = self._random.gauss(0.0, 1.0)
            self._goal = self._sd * loudness * min(max(drawn, -MAX_DRIFT_SD), MAX_DRIFT_SD)
        return self._spring.step(self._goal, elapsed_s)


class Breath:
    """Breathing of one character: 0 exhaled, 1 inhaled."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._phase = random.random()
        self._rate_hz = random.uniform(*BREATHS_HZ)

    def step(self, elapsed_s: float) -> float:
        """Advance by `elapsed_s`; return the inhalation, 0..1."""
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
"""Standard deviation of the strength of a held expression, as a share of it."""


class ExpressionDrift:
    """Slow variation of the strength of one character's upper face while it is held."""

    def __init__(self, random: Random) -> None:
        self._drift = Drift(random, EXPRESSION_DRIFT_SD)

    def step(self, elapsed_s: float, idle: float) -> float:
        """Advance by `elapsed_s`; return the change of strength, as a share, scaled by `idle`."""
        return idle * self._drift.step(elapsed_s)
