"""When eyes blink, and how a lid moves.

Rates: 26 a minute in conversation, 17 at rest, log-normal over people (Bentivoglio 1997). Shape:
close 90 ms, open 240 ms (VanderWerf 2003), closed 10 to 50 ms (Trutoiu 2011). 97 % of gaze shifts
above 33 degrees carry a blink (Evinger 1994); blinks gather at pauses and ends of phrases.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bridge.face.alive.motion import glide

if TYPE_CHECKING:
    from random import Random

    from bridge.face.alive.cues import Moment

TALKING_PER_MIN, RESTING_PER_MIN = 26.0, 17.0
PERSON_SIGMA, PERSON_LIMIT = 0.4, 0.7
"""Spread over characters of the logarithm of the rate, and its limit: nobody blinks half as often
or twice as often as the median."""
INTERVAL_SIGMA = 0.6
"""Spread of the logarithm of one character's intervals."""
CLOSE_S, CLOSED_S, OPEN_S = (0.080, 0.106), (0.010, 0.040), (0.170, 0.280)
DEPTH = (0.94, 1.0)
REST_S = 0.25
"""Least time between two blinks."""
READY, PAUSE_CHANCE = 0.3, 0.7
"""From this share of an interval on, the end of a phrase brings the blink, with this chance."""
PAUSE_DELAY_S = (0.0, 0.2)
SURE_SHIFT_DEG, LEAST_SHIFT_DEG = 33.0, 10.0
SURE_CHANCE, READY_CHANCE = 0.97, 0.3
OFF_LEVEL = 0.02
"""Level below which no pause and no gaze shift brings a blink either."""
OWN_SHARE = 0.8
"""Share of the rate which intervals are left to bring; pauses and gaze shifts bring the rest."""
MID_PHRASE_HASTE, PAUSE_HASTE = 0.8, 1.6
"""How fast an interval passes within a phrase and in a pause: 1 on the whole."""


class Blink:
    """One character's lids, both at once. `closure`, 0..1, is how far they are shut."""

    def __init__(self, random: Random) -> None:
        self._random = random
        drawn = min(max(random.gauss(0.0, PERSON_SIGMA), -PERSON_LIMIT), PERSON_LIMIT)
        self._person = math.exp(drawn)
        self.closure = 0.0
        self._urge = random.random()
        """Share of the interval that is over."""
        self._due = self._interval()
        self._starts_in_s = math.inf
        self._age_s = math.inf
        self._close_s = self._closed_s = self._open_s = 0.1
        self._depth = 1.0

    def step(self, moment: Moment, level: float, shift_deg: float) -> float:
        """Return the closure after the moment; `shift_deg` is the gaze shift that begins in it."""
        elapsed_s = moment.elapsed_s
        self._urge += elapsed_s * self._haste(moment, level)
        is_free = self._age_s > self._length_s + REST_S and math.isinf(self._starts_in_s)
        if is_free and level > OFF_LEVEL:
            self._ask(moment, shift_deg)
        self._age_s += elapsed_s
        self._starts_in_s -= elapsed_s
        if self._starts_in_s <= 0.0:
            self._begin()
        self.closure = self._lid()
        return self.closure

    @property
    def _length_s(self) -> float:
        return self._close_s + self._closed_s + self._open_s

    def _haste(self, moment: Moment, level: float) -> float:
        """Return how much of an interval of length 1 passes in a second."""
        per_min = TALKING_PER_MIN if moment.is_talking else RESTING_PER_MIN
        per_min *= OWN_SHARE * self._person * level * math.exp(moment.mood.blink_rate)
        if moment.is_talking:
            per_min *= MID_PHRASE_HASTE if moment.prosody.is_speaking else PAUSE_HASTE
        return per_min / 60.0

    def _interval(self) -> float:
        """Draw an interval around the mean 1, log-normal."""
        return self._random.lognormvariate(-0.5 * INTERVAL_SIGMA**2, INTERVAL_SIGMA)

    def _ask(self, moment: Moment, shift_deg: float) -> None:
        """Decide whether a blink begins: it is due, a phrase ended, or the gaze goes far."""
        is_ready = self._urge >= READY * self._due
        if self._urge >= self._due:
            self._starts_in_s = 0.0
        elif moment.phrase_ended and is_ready and self._random.random() < PAUSE_CHANCE:
            self._starts_in_s = self._random.uniform(*PAUSE_DELAY_S)
        elif shift_deg > LEAST_SHIFT_DEG and self._random.random() < _chance(
            shift_deg, is_ready=is_ready
        ):
            self._starts_in_s = 0.0

    def _begin(self) -> None:
        uniform = self._random.uniform
        self._close_s, self._closed_s = uniform(*CLOSE_S), uniform(*CLOSED_S)
        self._open_s, self._depth = uniform(*OPEN_S), uniform(*DEPTH)
        self._age_s = -self._starts_in_s
        self._starts_in_s = math.inf
        self._urge, self._due = 0.0, self._interval()

    def _lid(self) -> float:
        """Return the closure by the age of the blink: shut fast, open slowly and ever slower."""
        age_s = self._age_s
        if age_s <= self._close_s:
            return self._depth * glide(age_s / self._close_s)
        opening_s = age_s - self._close_s - self._closed_s
        if opening_s <= 0.0:
            return self._depth
        share = min(opening_s / self._open_s, 1.0)
        return self._depth * (1.0 - glide(share**0.7))


def _chance(shift_deg: float, *, is_ready: bool) -> float:
    """Return the chance that a gaze shift carries a blink."""
    far = (shift_deg - LEAST_SHIFT_DEG) / (SURE_SHIFT_DEG - LEAST_SHIFT_DEG)
    if far >= 1.0:
        return SURE_CHANCE
    return READY_CHANCE + (SURE_CHANCE - READY_CHANCE) * far**2 if is_ready else 0.0
