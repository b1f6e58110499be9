"""Ways for a number to move without a jump."""

from __future__ import annotations

import math


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

    def give(self, height: float, length_s: float) -> None:
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
