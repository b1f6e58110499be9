"""Groups of channels that procedural expression scales and shifts, and what moves them whatever the
emotion is: gestures and postures of speech, muscle tone, asymmetry, and small motion.

A gain scales what the network generates in a group, a shift adds to it. No group holds a channel
that opens, closes or rounds the lips; those that touch the mouth are its corners. Small motion of
jaw, chin, cheeks and lips belongs to a face that nobody hears. Lips that an emotion parts close in
silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.face.procedural.motion import DriftBank, Spring, SpringBank, Sway
from cstalk_bridge.models.board import CHANNEL_INDEX, CHANNELS
from cstalk_bridge.models.emotions import EMOTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from numpy.typing import NDArray

    from cstalk_bridge.face.procedural.cues import Moment


GROUPS: dict[str, dict[str, float]] = {
    "brow_in": {"brow_raiseIn.ty": 1.0},
    "brow_out": {"brow_raiseOut.ty": 1.0},
    "brow_down": {"brow_down.ty": 1.0, "brow_lateral.ty": 0.6},
    "lids": {"eye_blink.ty": 1.0},
    "squint": {"eye_squintInner.ty": 1.0},
    "cheek": {"eye_cheekRaise.ty": 1.0},
    "nose": {"nose.ty": 1.0, "nose_nasolabialDeepen.ty": 0.5},
    "corner": {"mouth_cornerPull.ty": 1.0, "mouth_sharpCornerPull.ty": 0.3},
    "dimple": {"mouth_dimple.ty": 1.0},
    "depress": {"mouth_cornerDepress.ty": 1.0},
}
"""Channels of one side, and how far each moves with a shift of 1. A gain scales all of them."""

SMALL_MOTION: dict[str, dict[str, float]] = {
    "jaw_forward": {"CTRL_C_jaw_fwdBack.ty": -1.0},
    "jaw_side": {"CTRL_C_jaw.tx": 1.0},
    "mouth_side": {"CTRL_C_mouth.tx": 1.0},
    "press": {f"CTRL_{side}_mouth_press{lip}.ty": 1.0 for side in "LR" for lip in "UD"},
    "shrug": {f"CTRL_{side}_jaw_ChinRaise{lip}.ty": 1.0 for side in "LR" for lip in "UD"},
    "puff": {f"CTRL_{side}_mouth_suckBlow.ty": 1.0 for side in "LR"},
    "flare": {f"CTRL_{side}_nose.tx": 1.0 for side in "LR"},
    "purse": {f"CTRL_{side}_mouth_purse{lip}.ty": 1.0 for side in "LR" for lip in "UD"},
    "stretch": {f"CTRL_{side}_mouth_stretch.ty": 1.0 for side in "LR"},
    "funnel": {f"CTRL_{side}_mouth_funnel{lip}.ty": 1.0 for side in "LR" for lip in "UD"},
}
"""Channels that people move a little between their words, and a network hardly, by full name."""

GROUP_NAMES = tuple(GROUPS)
SMALL_NAMES = tuple(SMALL_MOTION)
GROUP_COUNT, SMALL_COUNT = len(GROUPS), len(SMALL_MOTION)
GAIN_COUNT = 2 * GROUP_COUNT
"""Gains of a face: the groups of the left side, then those of the right."""
SHIFT_COUNT = GAIN_COUNT + SMALL_COUNT
"""Shifts of a face: as the gains, then the small motion."""


def group_vector(values: Mapping[str, float], default: float = 0.0) -> NDArray[np.float64]:
    """Return values by group, [groups]; `default` for the groups that are not named."""
    return np.array([values.get(name, default) for name in GROUP_NAMES])


def gained_channels() -> NDArray[np.float32]:
    """Return which channels each gain scales, 0 or 1, [gains, 174]."""
    return np.asarray(_side_table() != 0.0, dtype=np.float32)


def shifted_channels() -> NDArray[np.float32]:
    """Return what each shift of 1 adds to the board, [shifts, 174]."""
    small = np.zeros((SMALL_COUNT, len(CHANNELS)), dtype=np.float32)
    for row, shares in enumerate(SMALL_MOTION.values()):
        for name, share in shares.items():
            small[row, CHANNEL_INDEX[name]] = share
    return np.concatenate((_side_table(), small))


def _side_table() -> NDArray[np.float32]:
    table = np.zeros((GAIN_COUNT, len(CHANNELS)), dtype=np.float32)
    rows = ((side, shares) for side in "LR" for shares in GROUPS.values())
    for row, (side, shares) in enumerate(rows):
        for name, share in shares.items():
            table[row, CHANNEL_INDEX[f"CTRL_{side}_{name}"]] = share
    return table


BRIDGED_S = 0.7
"""A shorter pause does not release an expression: a smile that drops in every pause pumps."""


@dataclass(frozen=True, slots=True)
class Gesture:
    """What talkers do above the mouth and with its corners: shifts by group."""

    frequency: float
    """How often people do it, relative to other gestures."""
    length_s: float
    """Duration of its pulse, before the spring smooths it."""
    shifts: Mapping[str, float]


GESTURES: dict[str, Gesture] = {
    "raise": Gesture(1.5, 0.22, {"brow_in": 0.7, "brow_out": 0.6, "lids": -0.3}),
    "inner raise": Gesture(0.4, 0.22, {"brow_in": 0.9, "brow_out": 0.3, "lids": -0.15}),
    "frown": Gesture(0.8, 0.22, {"brow_down": 1.0, "squint": 0.8, "nose": 0.3}),
    "squint": Gesture(0.9, 0.22, {"squint": 1.3, "cheek": 0.9, "nose": 0.3}),
    "sneer": Gesture(0.8, 0.3, {"nose": 1.3, "cheek": 0.5, "squint": 0.5}),
    "smile": Gesture(2.6, 0.6, {"corner": 1.5, "cheek": 0.5, "dimple": 0.25, "squint": 0.2}),
    "tighten": Gesture(2.7, 0.4, {"dimple": 1.3, "depress": 1.4}),
}
_SHAPES = np.array([group_vector(gesture.shifts) for gesture in GESTURES.values()])
_LENGTHS_S = [gesture.length_s for gesture in GESTURES.values()]
TASTE_SPREAD = 0.5
"""Standard deviation over characters of the logarithm of how often they do each."""

STRESS_CHANCE = 0.5
STRESS_PULL = 0.75
"""Height of a gesture at prominence 1, before the spring smooths it."""
POSTURE = (0.02, 0.1)
"""Range of the height of a phrase's posture, which is one or two gestures that are held."""
POSTURE_FADE_S = 2.5
"""Time constant with which a posture sinks to half within a phrase."""
RATE_HZ = 1.2
MOST_SHIFT = group_vector(
    {"lids": 0.3, "squint": 0.5, "cheek": 0.4, "nose": 0.4, "corner": 0.45, "dimple": 0.4,
     "depress": 0.4}, 0.6,
)  # fmt: skip
"""Soft limit of the sum of posture and gestures, by group."""
IN_EMOTION = group_vector({"dimple": 0.3, "squint": 0.3}, 0.1)
"""What remains of it under an emotion, by group: raised brows, lids and smiles are its own."""


class Emphasis:
    """The gestures of one character while it speaks. `shifts` is float64 [groups]."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._weights = [
            gesture.frequency * random.lognormvariate(0.0, TASTE_SPREAD)
            for gesture in GESTURES.values()
        ]
        self._springs = SpringBank(RATE_HZ, np.zeros(GROUP_COUNT))
        self._posture: NDArray[np.float64] = np.zeros(GROUP_COUNT)
        self._pulse: NDArray[np.float64] = np.zeros(GROUP_COUNT)
        self._pulse_left_s = 0.0
        self._phrase_s = 0.0
        self._is_new = True
        self.shifts: NDArray[np.float64] = np.zeros(GROUP_COUNT)

    def step(self, moment: Moment, level: float) -> None:
        """Advance over a moment; set `shifts` at this level."""
        is_speaking = moment.prosody.is_speaking
        self._is_new = self._is_new or moment.phrase_ended
        if is_speaking and self._is_new:
            self._is_new = False
            self._posture, self._phrase_s = self._next_posture(), 0.0
        elif moment.prosody.pause_s >= BRIDGED_S:
            self._posture = np.zeros(GROUP_COUNT)
            self._is_new = True
        self._phrase_s += moment.elapsed_s
        if moment.stressed and self._random.random() < STRESS_CHANCE:
            height = STRESS_PULL * moment.stressed * self._random.uniform(0.4, 1.0)
            shape, self._pulse_left_s = self._gesture()
            self._pulse = height * shape
        goal = self._posture / (1.0 + self._phrase_s / POSTURE_FADE_S)
        if self._pulse_left_s > 0.0:
            goal = goal + self._pulse
            self._pulse_left_s -= moment.elapsed_s
        acted = min(1.0, 2.0 * float(moment.emotion[1:].sum()))
        shown = level * (1.0 - (1.0 - IN_EMOTION) * acted)
        moved = self._springs.step(goal, moment.elapsed_s)
        self.shifts = shown * MOST_SHIFT * np.tanh(moved / MOST_SHIFT)

    def _next_posture(self) -> NDArray[np.float64]:
        heights = (self._random.uniform(*POSTURE), 0.5 * self._random.uniform(*POSTURE))
        return heights[0] * self._gesture()[0] + heights[1] * self._gesture()[0]

    def _gesture(self) -> tuple[NDArray[np.float64], float]:
        """Draw a gesture; return its shifts, [groups], and its length in seconds."""
        (place,) = self._random.choices(range(len(_SHAPES)), self._weights)
        return _SHAPES[place], _LENGTHS_S[place]


TONE = group_vector(
    {"brow_in": 0.012, "brow_out": 0.012, "brow_down": 0.008, "lids": 0.01, "squint": 0.015,
     "cheek": 0.006, "nose": 0.006, "corner": 0.01, "dimple": 0.008, "depress": 0.004},
)  # fmt: skip
"""Median tone by group; idle phone takes of one person have 0.005 to 0.08."""
TONE_SPREAD = 0.6
"""Standard deviation of the logarithm of the tone, which therefore never reaches 0."""


class MuscleTone:
    """The slowly drifting tone of one character's muscles. `shifts` is float64 [groups]."""

    def __init__(self, random: Random) -> None:
        self._drifts = DriftBank(random, GROUP_COUNT)
        self.shifts: NDArray[np.float64] = np.zeros(GROUP_COUNT)

    def step(self, elapsed_s: float, level: float) -> None:
        """Advance by `elapsed_s`; set `shifts` at this level."""
        self.shifts = level * TONE * np.exp(TONE_SPREAD * self._drifts.step(elapsed_s))


OWN_SHARE, DRIFT_SHARE = (0.12, 0.4), 0.12
"""Range over groups of a character's lasting asymmetry, and the spread of its drift: shares by
which one side is above the mean of both, and the other below it."""
AGAINST_CHANCE = 0.2
"""Chance of a group to be stronger on the other side than the character's own."""
MOST_SHARE = 0.7
GAIN_PER_SHARE = 0.12
"""Asymmetry of what the network generates, relative to that of tone and gestures."""


class Asymmetry:
    """The uneven halves of one character's face, mostly stronger on a side of its own."""

    def __init__(self, random: Random) -> None:
        self.side = random.choice((-1.0, 1.0))
        """The character's stronger side: 1 is its left."""
        signs = [self.side * (-1.0 if random.random() < AGAINST_CHANCE else 1.0) for _ in TONE]
        self._own = np.array(signs) * [random.uniform(*OWN_SHARE) for _ in TONE]
        self._drifts = DriftBank(random, GROUP_COUNT)

    def step(self, elapsed_s: float, level: float) -> NDArray[np.float64]:
        """Advance by `elapsed_s`; return by which share the left side is stronger, [groups]."""
        shares = self._own + DRIFT_SHARE * self._drifts.step(elapsed_s)
        limited: NDArray[np.float64] = level * np.clip(shares, -MOST_SHARE, MOST_SHARE)
        return limited


SMALL_TONE = {
    "jaw_forward": 0.012, "jaw_side": 0.01, "mouth_side": 0.012, "press": 0.012, "shrug": 0.015,
    "puff": 0.006, "flare": 0.01, "purse": 0.004, "stretch": 0.006, "funnel": 0.002,
}  # fmt: skip
"""Spread of small motion that goes both ways, and median of that which does not; idle phone takes
of one person have spreads of 0.004 to 0.06."""
SMALL_SWAY = {"jaw_forward": 0.03, "jaw_side": 0.025, "mouth_side": 0.02}
"""Spread of what sways while the character speaks, at full level."""
TWO_SIDED = np.array([name in (*SMALL_SWAY, "flare") for name in SMALL_NAMES])
"""What goes both ways; the rest is positive, and only moves between words."""
QUIET_HZ = 1.5


class SmallMotion:
    """Small motion of jaw, mouth, chin and cheeks of one character. `shifts` is float64 [small].

    Lips, chin and cheeks move only while nobody speaks.
    """

    def __init__(self, random: Random) -> None:
        self._drifts = DriftBank(random, SMALL_COUNT)
        self._sways = tuple(Sway(random, sd) for sd in SMALL_SWAY.values())
        self._tone = np.array([SMALL_TONE[name] for name in SMALL_NAMES])
        self._quiet = Spring(QUIET_HZ, 1.0)
        self.shifts: NDArray[np.float64] = np.zeros(SMALL_COUNT)

    def step(self, moment: Moment, level: float) -> None:
        """Advance over a moment; set `shifts` at this level."""
        elapsed_s = moment.elapsed_s
        drifts = self._drifts.step(elapsed_s)
        quiet = self._quiet.step(0.0 if moment.prosody.is_speaking else 1.0, elapsed_s)
        tone = self._tone * np.where(TWO_SIDED, drifts, quiet * np.exp(TONE_SPREAD * drifts))
        for place, sway in enumerate(self._sways):
            tone[place] += sway.step(moment.prosody.level, elapsed_s)
        self.shifts = level * tone


CLOSES_AFTER_S, CLOSING_S, OPENING_S = 0.4, 0.5, 0.12
MOST_CLOSED = 0.96
_CLOSING = np.array(
    [{"neutral": 0.0, "sad": 0.0, "surprised": -1.0}.get(name, 1.0) for name in EMOTIONS]
)
"""How far an emotion closes its lips in silence. Surprise keeps those of a mix open, and neutral
and sad faces hold theirs together by themselves."""


class RestingLips:
    """How far the lips that an emotion parts are closed in silence, 0..1."""

    def __init__(self) -> None:
        self._share = 1.0

    def step(self, moment: Moment, level: float) -> float:
        """Advance over a moment; return the closing at this level."""
        is_silent = moment.prosody.pause_s >= CLOSES_AFTER_S
        way = moment.elapsed_s / CLOSING_S if is_silent else -moment.elapsed_s / OPENING_S
        self._share = min(max(self._share + way, 0.0), 1.0)
        weight = float(moment.emotion @ _CLOSING)
        return MOST_CLOSED * level * self._share**2 * min(max(2.0 * weight, 0.0), 1.0)
