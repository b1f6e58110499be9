"""How eyes get to where a character looks, and what they do while they rest there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bridge.face.alive.motion import glide

if TYPE_CHECKING:
    from random import Random

    from bridge.face.alive.gaze import Look

SACCADE_S, SACCADE_S_PER_DEG = 0.025, 0.0024
"""The main sequence: 20 to 30 ms and 2.2 to 2.7 ms for each degree ("Eyes Alive", 2002)."""
MICRO_PER_S = 1.5
MICRO_MEAN_DEG, MICRO_MAX_DEG = 0.3, 0.9
"""One or two micro-saccades a second, up to a degree."""
MICRO_REST_S = 0.25
"""Time after a saccade before the next micro-saccade."""


class Eyes:
    """Both eyes as one direction, in degrees: `yaw_deg` to the character's left, `pitch_deg` up.

    They move by saccades only: along a line, with the minimum-jerk course, for as long as the
    distance asks. A look that changes during a saccade is followed from where the eyes are.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self.yaw_deg = self.pitch_deg = 0.0
        self.shift_deg = 0.0
        """Size of the saccade that began in the last step, 0 without one."""
        self._look: Look | None = None
        self._from = self._to = (0.0, 0.0)
        self._age_s = self._length_s = 1.0
        self._micro_in_s = 1.0

    def step(self, look: Look, elapsed_s: float, idle: float) -> None:
        """Go on towards `look`; `idle` scales the micro-saccades."""
        self.shift_deg = 0.0
        self._age_s += elapsed_s
        self._micro_in_s -= elapsed_s
        if look is not self._look:
            self._look = look
            self.shift_deg = self._begin(look.yaw_deg, look.pitch_deg)
        elif self._micro_in_s <= 0.0:
            self._tremble(look, idle)
        share = glide(self._age_s / self._length_s)
        self.yaw_deg = self._from[0] + share * (self._to[0] - self._from[0])
        self.pitch_deg = self._from[1] + share * (self._to[1] - self._from[1])

    def _begin(self, yaw_deg: float, pitch_deg: float) -> float:
        """Start a saccade; return its size."""
        self._from, self._to = (self.yaw_deg, self.pitch_deg), (yaw_deg, pitch_deg)
        size_deg = math.hypot(yaw_deg - self.yaw_deg, pitch_deg - self.pitch_deg)
        self._age_s = 0.0
        self._length_s = SACCADE_S + SACCADE_S_PER_DEG * size_deg
        pause_s = self._random.expovariate(1.0 / (1.0 / MICRO_PER_S - MICRO_REST_S))
        self._micro_in_s = max(MICRO_REST_S, self._length_s) + pause_s
        return size_deg

    def _tremble(self, look: Look, idle: float) -> None:
        """Step by a little to near the look: errors do not add up."""
        size_deg = min(self._random.expovariate(1.0 / MICRO_MEAN_DEG), MICRO_MAX_DEG / 2.0)
        angle = self._random.uniform(0.0, 2.0 * math.pi)
        reach = idle * size_deg
        self._begin(
            look.yaw_deg + reach * math.cos(angle), look.pitch_deg + 0.6 * reach * math.sin(angle)
        )
