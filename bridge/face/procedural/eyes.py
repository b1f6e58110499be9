"""Gaze, saccades and blinks of one character, and the motion of a lid."""

from __future__ import annotations

import math
from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from cstalk_bridge.face.procedural.motion import glide
from cstalk_bridge.models.metrics.curves import FACE_DEG

if TYPE_CHECKING:
    from random import Random

    from cstalk_bridge.face.procedural.cues import Moment


TALKING_PER_MIN, RESTING_PER_MIN = 18.5, 17.0
PERSON_SIGMA, PERSON_LIMIT = 0.4, 0.7
"""Standard deviation over characters of the logarithm of the rate, and its limit: no character
blinks half or twice as often as the median."""
TALKING_PERSON = 0.45
"""Share of that logarithm in talk: nine characters of ten blink 15 to 30 times a minute there, as a
rate that is noticed distracts from what is said."""
INTERVAL_SIGMA = 0.6
"""Standard deviation of the logarithm of one character's intervals."""
CLOSE_S, CLOSED_S, OPEN_S = (0.080, 0.106), (0.010, 0.040), (0.170, 0.280)
DEPTH = (0.94, 1.0)
REST_S = 0.25
"""Least time between two blinks."""
READY_SHARE, PAUSE_CHANCE = 0.3, 0.7
"""From this share of an interval on, the end of a phrase triggers the blink with this chance."""
PAUSE_DELAY_S = (0.0, 0.2)
SURE_SHIFT_DEG, LEAST_SHIFT_DEG = 33.0, 10.0
SURE_CHANCE, READY_CHANCE = 0.97, 0.3
OFF_LEVEL = 0.02
"""Level below which pauses and gaze shifts trigger no blink either."""
OWN_SHARE = 0.8
"""Share of the rate due to intervals; pauses and gaze shifts trigger the rest."""
MID_PHRASE_RATE, PAUSE_RATE = 0.8, 1.6
"""Relative speed of an interval within a phrase and in a pause, about 1 overall."""


LONGEST_BLINK_S = PAUSE_DELAY_S[1] + CLOSE_S[1] + CLOSED_S[1] + OPEN_S[1]
"""From the decision until the lids are open again."""


class Blink:
    """Blinks of one character, both lids at once. `closure`, 0..1, is how far they are closed.

    No blink is decided upon while it `is_held`.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        drawn = min(max(random.gauss(0.0, PERSON_SIGMA), -PERSON_LIMIT), PERSON_LIMIT)
        self._person = math.exp(drawn), math.exp(TALKING_PERSON * drawn)
        """Relative rate of this character: at rest, in talk."""
        self.closure = 0.0
        self.is_held = False
        self._urge = random.random()
        """Elapsed share of the mean interval."""
        self._due = self._interval()
        self._starts_in_s = math.inf
        self._age_s = math.inf
        self._close_s = self._closed_s = self._open_s = 0.1
        self._depth = 1.0

    def step(self, moment: Moment, level: float, shift_deg: float) -> float:
        """Return the closure after the moment, in which a saccade of `shift_deg` begins."""
        elapsed_s = moment.elapsed_s
        self._urge += elapsed_s * self._interval_rate(moment, level)
        is_free = self._age_s > self._length_s + REST_S and math.isinf(self._starts_in_s)
        if is_free and level > OFF_LEVEL and not self.is_held:
            self._decide(moment, shift_deg)
        self._age_s += elapsed_s
        self._starts_in_s -= elapsed_s
        if self._starts_in_s <= 0.0:
            self._begin()
        self.closure = self._closure_at_age()
        return self.closure

    @property
    def _length_s(self) -> float:
        return self._close_s + self._closed_s + self._open_s

    def _interval_rate(self, moment: Moment, level: float) -> float:
        """Return the speed of the interval, in mean intervals per second."""
        per_min = TALKING_PER_MIN if moment.is_talking else RESTING_PER_MIN
        per_min *= (
            OWN_SHARE * self._person[moment.is_talking] * level * math.exp(moment.style.blink_rate)
        )
        if moment.is_talking:
            per_min *= MID_PHRASE_RATE if moment.prosody.is_speaking else PAUSE_RATE
        return per_min / 60.0

    def _interval(self) -> float:
        """Draw a log-normal interval with mean 1."""
        return self._random.lognormvariate(-0.5 * INTERVAL_SIGMA**2, INTERVAL_SIGMA)

    def _decide(self, moment: Moment, shift_deg: float) -> None:
        """Start a blink if it is due, a phrase has ended, or gaze shifts far."""
        is_ready = self._urge >= READY_SHARE * self._due
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

    def _closure_at_age(self) -> float:
        """Return the closure by the age of the blink: it closes fast and opens ever more slowly."""
        age_s = self._age_s
        if age_s <= self._close_s:
            return self._depth * glide(age_s / self._close_s)
        opening_s = age_s - self._close_s - self._closed_s
        if opening_s <= 0.0:
            return self._depth
        share = min(opening_s / self._open_s, 1.0)
        return self._depth * (1.0 - glide(share**0.7))


def _chance(shift_deg: float, *, is_ready: bool) -> float:
    """Return the probability of a blink with a gaze shift."""
    far = (shift_deg - LEAST_SHIFT_DEG) / (SURE_SHIFT_DEG - LEAST_SHIFT_DEG)
    if far >= 1.0:
        return SURE_CHANCE
    return READY_CHANCE + (SURE_CHANCE - READY_CHANCE) * far**2 if is_ready else 0.0


DIRECTIONS_DEG = (0.0, 45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0)
DIRECTION_WEIGHTS = (2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0)
"""Cardinal directions are twice as frequent as diagonals; 0 is to the character's left, 90 up."""

SIZES_DEG = (3.0, 5.0, 7.0, 9.5, 12.5, 16.0, 21.0)
SIZE_WIDTHS_DEG = (2.0, 2.0, 2.2, 2.8, 3.2, 4.2, 5.5)
"""Width of each bin of sizes."""
SIZE_SPAN = 0.15
"""A size is drawn within this share of its bin's centre."""
SIZE_MEAN_DEG = 6.0
"""Mean of the exponential distribution of sizes; 90 % are below 15 degrees, returns included."""

WIDEST_DEG, HIGHEST_DEG, LOWEST_DEG = 24.0, 12.0, -16.0
"""Limits of looks, from the partner."""
EASY_DEG = 18.0
"""Looks far beyond this are rare, so that steps between looks do not drift to the limits."""
PARTNER_DEG = 1.2
"""Largest distance of a look at the partner from the centre of its face."""
BEGIN_CHANCE, END_CHANCE = 0.5, 0.3
"""Chance to look away at the begin of a turn, and back at the end of a phrase (Kendon 1967)."""
HOLD_SHAPE = 2.0
"""Shape of the gamma distribution of fixation times: neither constant nor close to 0."""


@dataclass(frozen=True, slots=True)
class Habit:
    """Statistics of gaze in one conversational role."""

    partner_s: float
    """Mean duration of a look at the partner."""
    away_s: float
    """Mean duration of a look away."""
    mutual_share: float
    """Share of time on the partner."""
    unprompted: float
    """Share of the returns to the partner not triggered by the end of a phrase."""

    @property
    def return_chance(self) -> float:
        """Probability that a look at the partner follows a look away."""
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
    """A gaze target, in degrees from the partner: yaw to the character's left, pitch up."""

    yaw_deg: float
    pitch_deg: float
    is_mutual: bool


class Gaze:
    """Gaze targets of one character. `look` is the present one; the eyes follow its changes."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.look = Look(0.0, 0.0, is_mutual=True)
        self._is_talking = False
        self._left_s = self._hold(LISTENING.partner_s)

    def step(self, moment: Moment) -> Look:
        """Return the gaze target after the moment."""
        if moment.is_talking != self._is_talking:
            self._is_talking = moment.is_talking
            self._left_s = min(self._left_s, self._hold_of(self.look, moment))
        self._left_s -= moment.elapsed_s
        if self._left_s <= 0.0 or self._is_prompted(moment):
            self.look = self._next(moment)
            self._left_s = self._hold_of(self.look, moment)
        return self.look

    def _is_prompted(self, moment: Moment) -> bool:
        """Whether an event of the voice ends the present look."""
        prompt = moment.began if self.look.is_mutual else moment.phrase_ended
        chance = BEGIN_CHANCE if self.look.is_mutual else END_CHANCE
        return prompt and self._random.random() < chance

    def _next(self, moment: Moment) -> Look:
        is_back = moment.phrase_ended or self._random.random() < _habit(moment).return_chance
        if is_back and not self.look.is_mutual:
            return self._partner()
        return self._away(math.exp(moment.style.gaze_spread), moment.style.glance_deg)

    def _partner(self) -> Look:
        angle = self._random.uniform(0.0, 2.0 * math.pi)
        radius = PARTNER_DEG * math.sqrt(self._random.random())
        return Look(radius * math.cos(angle), radius * math.sin(angle), is_mutual=True)

    def _away(self, spread: float, glance_deg: float) -> Look:
        """Draw a look away by a step from the present one, until it is within the limits."""
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
        return self._hold(habit.partner_s * math.exp(moment.style.directness))

    def _hold(self, mean_s: float) -> float:
        return self._random.gammavariate(HOLD_SHAPE, mean_s / HOLD_SHAPE)


def _habit(moment: Moment) -> Habit:
    return TALKING if moment.is_talking else LISTENING


SACCADE_S, SACCADE_S_PER_DEG = 0.025, 0.0024
"""The main sequence: 20 to 30 ms and 2.2 to 2.7 ms for each degree ("Eyes Alive", 2002)."""
MICRO_PER_S = 1.5
MICRO_MEAN_DEG, MICRO_MAX_DEG = 0.3, 0.9
"""One or two micro-saccades a second, up to a degree."""
MICRO_REST_S = 0.25
"""Time after a saccade before the next micro-saccade."""


class Eyes:
    """Both eyes as one direction, in degrees: `yaw_deg` to the character's left, `pitch_deg` up.

    They move by saccades only: along a line, with a minimum-jerk trajectory and the duration of the
    main sequence. If the target changes during a saccade, a new one begins at the present angle.
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
        """Advance by `elapsed_s` towards `look`; `idle` scales micro-saccades."""
        self.shift_deg = 0.0
        self._age_s += elapsed_s
        self._micro_in_s -= elapsed_s
        if look is not self._look:
            self._look = look
            self.shift_deg = self._begin(look.yaw_deg, look.pitch_deg)
        elif self._micro_in_s <= 0.0:
            self._begin_micro_saccade(look, idle)
        share = glide(self._age_s / self._length_s)
        self.yaw_deg = self._from[0] + share * (self._to[0] - self._from[0])
        self.pitch_deg = self._from[1] + share * (self._to[1] - self._from[1])

    def _begin(self, yaw_deg: float, pitch_deg: float) -> float:
        """Begin a saccade; return its size in degrees."""
        self._from, self._to = (self.yaw_deg, self.pitch_deg), (yaw_deg, pitch_deg)
        size_deg = math.hypot(yaw_deg - self.yaw_deg, pitch_deg - self.pitch_deg)
        self._age_s = 0.0
        self._length_s = SACCADE_S + SACCADE_S_PER_DEG * size_deg
        pause_s = self._random.expovariate(1.0 / (1.0 / MICRO_PER_S - MICRO_REST_S))
        self._micro_in_s = max(MICRO_REST_S, self._length_s) + pause_s
        return size_deg

    def _begin_micro_saccade(self, look: Look, idle: float) -> None:
        """Begin a micro-saccade to a point near the target, so that errors do not accumulate."""
        size_deg = min(self._random.expovariate(1.0 / MICRO_MEAN_DEG), MICRO_MAX_DEG / 2.0)
        angle = self._random.uniform(0.0, 2.0 * math.pi)
        reach = idle * size_deg
        self._begin(
            look.yaw_deg + reach * math.cos(angle), look.pitch_deg + 0.6 * reach * math.sin(angle)
        )
