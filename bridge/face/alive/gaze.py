"""Where a character looks, and for how long: a categorical process.

The next look is drawn, not computed: whether to the partner or away, a direction out of eight bins,
a size out of seven, and a time to stay. Looks at the partner last 3.1 s talking and 7.9 s
listening, looks away 0.93 and 0.43 s ("Eyes Alive", Lee, Badler and Badler 2002). Mutual gaze takes
41 % of the time talking and 75 % listening (Argyle and Cook 1976). Both hold at once when several
looks away follow each other, and so many do.
"""

from __future__ import annotations

import math
from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from bridge.face.alive.cues import Moment

DIRECTIONS_DEG = (0.0, 45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0)
DIRECTION_WEIGHTS = (2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0)
"""Cardinal directions are twice as frequent as diagonals; 0 is to the character's left, 90 up."""

SIZES_DEG = (3.0, 5.0, 7.0, 9.5, 12.5, 16.0, 21.0)
SIZE_WIDTHS_DEG = (2.0, 2.0, 2.2, 2.8, 3.2, 4.2, 5.5)
"""How much of the course of sizes each bin stands for."""
SIZE_SPAN = 0.15
"""A size is drawn from this share below to this share above its bin's middle."""
SIZE_MEAN_DEG = 6.0
"""Sizes fall off exponentially, so that with the ways back 90 % are below 15 degrees."""

WIDEST_DEG, HIGHEST_DEG, LOWEST_DEG = 24.0, 12.0, -16.0
"""Where a look may go at most, from the partner."""
EASY_DEG = 18.0
"""Looks far beyond this are rare: without it, steps from one look to the next would drift there."""
FACE_DEG = 4.5
"""Radius of the partner's face: inside it gaze is mutual. At 1.2 m it has 9 cm."""
PARTNER_DEG = 1.2
"""Within a look at the partner, eyes rest at most this far from its middle."""
BEGIN_CHANCE, END_CHANCE = 0.5, 0.3
"""Who begins to talk looks away, who ends a phrase looks back to the partner (Kendon 1967)."""
HOLD_SHAPE = 2.0
"""Times to stay are gamma distributed with this shape: neither all alike nor ever nearly none."""


@dataclass(frozen=True, slots=True)
class Habit:
    """Mean times of looks at the partner and away, and the share of time on the partner.

    `unprompted` is the share of returns to the partner which no end of a phrase prompts.
    """

    partner_s: float
    away_s: float
    mutual_share: float
    unprompted: float

    @property
    def return_chance(self) -> float:
        """Chance that the look after a look away is one at the partner."""
        looks = self.partner_s * (1.0 - self.mutual_share) / self.mutual_share / self.away_s
        return self.unprompted / looks


TALKING = Habit(partner_s=3.1, away_s=0.93, mutual_share=0.41, unprompted=0.6)
LISTENING = Habit(partner_s=7.9, away_s=0.43, mutual_share=0.75, unprompted=1.0)

_DIRECTION_SUMS = tuple(accumulate(DIRECTION_WEIGHTS))
_SIZE_SUMS = tuple(
    accumulate(
        width * math.exp(-size / SIZE_MEAN_DEG)
        for size, width in zip(SIZES_DEG, SIZE_WIDTHS_DEG, strict=True)
    )
)


@dataclass(frozen=True, slots=True)
class Look:
    """A direction in degrees from the partner: yaw to the character's left, pitch up."""

    yaw_deg: float
    pitch_deg: float
    is_mutual: bool


class Gaze:
    """One character's looks. `look` is the present one; it changes at once, the eyes follow."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.look = Look(0.0, 0.0, is_mutual=True)
        self._is_talking = False
        self._left_s = self._hold(LISTENING.partner_s)

    def step(self, moment: Moment) -> Look:
        """Return where the character looks after the moment."""
        if moment.is_talking != self._is_talking:
            self._is_talking = moment.is_talking
            self._left_s = min(self._left_s, self._hold_of(self.look, moment))
        self._left_s -= moment.elapsed_s
        if self._left_s <= 0.0 or self._is_prompted(moment):
            self.look = self._next(moment)
            self._left_s = self._hold_of(self.look, moment)
        return self.look

    def _is_prompted(self, moment: Moment) -> bool:
        """Whether what the voice does ends the present look: at the partner, or away from it."""
        prompt = moment.began if self.look.is_mutual else moment.phrase_ended
        chance = BEGIN_CHANCE if self.look.is_mutual else END_CHANCE
        return prompt and self._random.random() < chance

    def _next(self, moment: Moment) -> Look:
        is_back = moment.phrase_ended or self._random.random() < _habit(moment).return_chance
        if is_back and not self.look.is_mutual:
            return self._partner()
        return self._away(math.exp(moment.mood.gaze_spread), moment.mood.glance_deg)

    def _partner(self) -> Look:
        angle = self._random.uniform(0.0, 2.0 * math.pi)
        radius = PARTNER_DEG * math.sqrt(self._random.random())
        return Look(radius * math.cos(angle), radius * math.sin(angle), is_mutual=True)

    def _away(self, spread: float, glance_deg: float) -> Look:
        """Draw a look away by a step from the present one, until it falls where eyes may go."""
        draw = self._random.random
        for _ in range(12):
            direction = bisect(_DIRECTION_SUMS, draw() * _DIRECTION_SUMS[-1])
            size = SIZES_DEG[bisect(_SIZE_SUMS, draw() * _SIZE_SUMS[-1])] * spread
            size *= self._random.uniform(1.0 - SIZE_SPAN, 1.0 + SIZE_SPAN)
            angle = math.radians(DIRECTIONS_DEG[direction])
            yaw = self.look.yaw_deg + size * math.cos(angle)
            pitch = self.look.pitch_deg + size * math.sin(angle)
            pitch += 0.3 * glance_deg if pitch > glance_deg else 0.0
            far_deg = math.hypot(yaw, pitch)
            is_seen = abs(yaw) <= WIDEST_DEG and LOWEST_DEG <= pitch <= HIGHEST_DEG
            if is_seen and far_deg > FACE_DEG and draw() < math.exp(-((far_deg / EASY_DEG) ** 2)):
                return Look(yaw, pitch, is_mutual=False)
        side = math.copysign(1.5 * FACE_DEG, self.look.yaw_deg or draw() - 0.5)
        return Look(side, 0.0, is_mutual=False)

    def _hold_of(self, look: Look, moment: Moment) -> float:
        habit = _habit(moment)
        if not look.is_mutual:
            return self._hold(habit.away_s)
        return self._hold(habit.partner_s * math.exp(moment.mood.directness))

    def _hold(self, mean_s: float) -> float:
        return self._random.gammavariate(HOLD_SHAPE, mean_s / HOLD_SHAPE)


def _habit(moment: Moment) -> Habit:
    return TALKING if moment.is_talking else LISTENING
