"""Acting: the strength and the shape of an emotion over a phrase.

A phrase raises an expression to its apex and lets it sink; accents on stressed syllables lift it
for a moment, and an excited voice lifts all of it. Each phrase shows another variant of the
emotion, which scales and shifts its own brows, lids, cheeks, nose and lip corners. Nothing else of
the mouth is touched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.face.procedural.motion import Pulse, Spring, SpringBank, glide
from cstalk_bridge.face.procedural.muscles import (
    BRIDGED_S,
    GAIN_COUNT,
    GROUP_COUNT,
    group_vector,
)
from cstalk_bridge.models.emotions import EMOTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from numpy.typing import NDArray

    from cstalk_bridge.face.procedural.cues import Moment


HELD = 1.0
"""Strength while nobody speaks, relative to the generated expression."""
ONSET_S, APEX_S, DECAY_S, SUSTAIN_S = (0.33, 0.65), (0.1, 0.35), (0.65, 1.2), (0.4, 1.0)
"""Range of the durations of a swell; faces reach an apex in 0.3 to 0.7 s (Ekman 1982)."""
RELEASE_S = (0.6, 1.0)
APEX, SUSTAIN = (1.5, 2.2), (0.17, 0.45)
"""Range of the strength at the apex and after the decay."""
SMOOTH_HZ = 2.5


class PhraseEnvelope:
    """The strength of an expression over time, about 1: onset, apex, decay and release.

    A phrase that goes on swells again. It is released into a pause of `BRIDGED_S`.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._spring = Spring(SMOOTH_HZ, HELD)
        self._from = self._to = HELD
        self._age_s, self._length_s = 0.0, 1.0
        self._stages: list[tuple[float, float]] = []
        """Strengths to reach, and durations, the next one last."""
        self._is_released = True
        self._has_paused = False

    @property
    def value(self) -> float:
        """The strength now."""
        return self._spring.value

    def step(self, moment: Moment) -> bool:
        """Advance over a moment; return whether a phrase has begun."""
        is_speaking = moment.prosody.is_speaking
        self._has_paused = self._has_paused or moment.phrase_ended
        begins = is_speaking and (self._is_released or self._has_paused)
        if begins:
            self._is_released = self._has_paused = False
            self._stages = self._swell()
            self._next_stage()
        elif not self._is_released and moment.prosody.pause_s >= BRIDGED_S:
            self._is_released = True
            self._stages = [(HELD, self._random.uniform(*RELEASE_S))]
            self._next_stage()
        self._age_s += moment.elapsed_s
        if self._age_s >= self._length_s and (self._stages or not self._is_released):
            self._stages = self._stages or self._swell()
            self._next_stage()
        self._spring.step(self._goal(), moment.elapsed_s)
        return begins

    def _swell(self) -> list[tuple[float, float]]:
        uniform = self._random.uniform
        apex, sunk = uniform(*APEX), uniform(*SUSTAIN)
        return [
            (sunk, uniform(*SUSTAIN_S)),
            (sunk, uniform(*DECAY_S)),
            (apex, uniform(*APEX_S)),
            (apex, uniform(*ONSET_S)),
        ]

    def _goal(self) -> float:
        return self._from + (self._to - self._from) * glide(self._age_s / self._length_s)

    def _next_stage(self) -> None:
        self._from = self._goal()
        self._to, self._length_s = self._stages.pop()
        self._age_s = 0.0


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to show an emotion.

    Gains and shifts are by group; a group that is not named has gain 1 and shift 0. `tilt` makes
    the character's own side stronger by this share, and the other weaker.
    """

    name: str
    gains: Mapping[str, float] = field(default_factory=dict)
    shifts: Mapping[str, float] = field(default_factory=dict)
    tilt: float = 0.0


VARIANTS: dict[str, tuple[Variant, ...]] = {
    "happy": (
        Variant("warm", {"cheek": 1.25, "squint": 1.3}),
        Variant("open", {"squint": 0.75, "cheek": 0.9, "corner": 1.15}, {"brow_out": 0.06}),
        Variant("held back", {"cheek": 0.85, "corner": 0.85}, {"dimple": 0.12}),
        Variant("broad", {"cheek": 1.2, "corner": 1.25}, {"squint": 0.04}),
        Variant("wry", {"cheek": 0.95, "corner": 0.95}, tilt=0.25),
    ),
    "sad": (
        Variant("grieving", {"brow_in": 1.25, "depress": 1.2}),
        Variant("tired", {"brow_in": 0.9, "brow_down": 0.8}, {"lids": 0.12}),
        Variant("pained", {"brow_down": 1.3, "squint": 1.3}),
        Variant("pleading", {"brow_in": 1.35, "brow_down": 0.75}),
        Variant("bitter", {"brow_in": 0.9, "depress": 1.3}, tilt=0.15),
    ),
    "angry": (
        Variant("glaring", {"brow_down": 1.15, "lids": 1.2, "brow_in": 0.5, "depress": 0.8}),
        Variant("narrow", {"squint": 1.4, "lids": 0.8, "brow_in": 0.5, "depress": 0.7}),
        Variant("sneering", {"squint": 1.15, "brow_in": 0.5, "depress": 0.6}, tilt=0.25),
        Variant("cold", {"brow_down": 0.85, "squint": 1.1, "brow_in": 0.5, "depress": 0.8}),
        Variant("furious", {"brow_down": 1.25, "lids": 1.25, "brow_in": 0.5, "depress": 0.7}),
    ),
    "surprised": (
        Variant("startled", {"brow_in": 1.15, "brow_out": 1.2, "lids": 1.25}),
        Variant("wondering", {"brow_in": 1.05, "brow_out": 1.05, "lids": 0.85}),
        Variant("doubting", {"brow_in": 0.85, "brow_out": 1.1}, tilt=0.25),
        Variant("delighted", {"brow_out": 1.1, "lids": 0.95}, {"cheek": 0.06}),
        Variant("stunned", {"brow_in": 0.9, "brow_out": 0.95, "lids": 1.35}),
    ),
    "fearful": (
        Variant("alarmed", {"lids": 1.3, "brow_in": 1.1}),
        Variant("worried", {"brow_in": 1.25, "lids": 0.85, "brow_down": 1.1}),
        Variant("cowering", {"squint": 1.3, "brow_down": 1.25, "lids": 0.9}),
        Variant("frozen", {"brow_in": 0.9, "brow_out": 0.85, "lids": 1.2}),
        Variant("pleading", {"brow_in": 1.3, "brow_out": 0.85}, tilt=0.1),
    ),
    "disgusted": (
        Variant("recoiling", {"squint": 1.3}),
        Variant("contemptuous", {"nose": 0.85, "cheek": 1.1}, {"dimple": 0.08}, tilt=0.3),
        Variant("nauseous", {"depress": 1.2, "cheek": 1.2}),
        Variant("offended", {"brow_down": 1.3, "squint": 0.9}),
        Variant("mild", {"brow_down": 0.8, "nose": 0.9}),
    ),
}
"""Variants by emotion, as many of each."""

VARIANT_COUNT = 5
_SHARPNESS = 2.0
"""An emotion of half its full weight is acted in full: its channels scale with the weight."""
_NEUTRAL = EMOTIONS.index("neutral")


def _vectors(part: str, default: float) -> NDArray[np.float64]:
    """Return a part of all variants, [emotions, variants, groups]; neutral has the default."""
    rows = [
        [group_vector(getattr(variant, part), default) for variant in VARIANTS[name]]
        if name in VARIANTS
        else [group_vector({}, default)] * VARIANT_COUNT
        for name in EMOTIONS
    ]
    return np.array(rows)


_GAINS, _SHIFTS = _vectors("gains", 1.0), _vectors("shifts", 0.0)
_TILTS = np.array(
    [
        [variant.tilt for variant in VARIANTS.get(name, ())] or [0.0] * VARIANT_COUNT
        for name in EMOTIONS
    ]
)

VARIANT_HZ = 0.9
ACCENT_PULL, ACCENT_S, ACCENT_HZ = 1.7, 0.14, 1.8
"""Height at prominence 1 and duration of an accent's pulse; the spring makes a third of it."""
ACCENTED: dict[str, dict[str, float]] = {
    "happy": {"cheek": 0.8, "squint": 0.9},
    "sad": {"brow_in": 1.0, "brow_down": 0.6, "depress": 0.3},
    "angry": {"brow_down": 1.0, "squint": 0.9, "nose": 1.0, "lids": 0.2},
    "surprised": {"brow_in": 1.0, "brow_out": 1.0, "lids": 0.4},
    "fearful": {"brow_in": 1.0, "brow_down": 0.8, "lids": 0.4},
    "disgusted": {"nose": 1.0, "brow_down": 1.0, "squint": 0.9, "cheek": 0.6},
}
"""How far accents reach a group, by emotion: those that make it.

Lip corners have none: they would smile with each stress.
"""
_ACCENTS = np.array([group_vector(ACCENTED.get(name, {})) for name in EMOTIONS])
ENVELOPED = group_vector(
    {"corner": 1.0, "dimple": 0.7, "depress": 0.6, "lids": 0.65, "nose": 0.65}, 1.0
)
"""How far the envelope reaches a group."""
EXCITED, EXCITED_HZ = 0.2, 0.4
"""Change of strength in a voice at the top of its loudness and melody."""
LEAST_GAIN = np.tile(group_vector({"corner": 0.38}, 0.25), 2)
MOST_GAIN = np.tile(group_vector({"nose": 1.0}, 2.2), 2)
"""Limits of the scale of a group. A smile that sinks further is none. A wrinkled nose lifts the
upper lip, and more of it than is generated would open closures."""


class Acting:
    """Acts the emotion of one character.

    After a step `gains` and `shifts` are float64 [2 groups], left side first: what scales the
    generated face, less 1, and what is added to it.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._side = random.choice((-1.0, 1.0))
        """The side that a one-sided variant favours: 1 is the left one."""
        self._envelope = PhraseEnvelope(random)
        self._variant = random.randrange(VARIANT_COUNT)
        self._bank = SpringBank(VARIANT_HZ, np.zeros(2 * GROUP_COUNT + 1))
        self._bank.values[:GROUP_COUNT] = 1.0
        self._accent = Pulse()
        self._accented = Spring(ACCENT_HZ)
        self._excited = Spring(EXCITED_HZ)
        self.gains: NDArray[np.float64] = np.zeros(GAIN_COUNT)
        self.shifts: NDArray[np.float64] = np.zeros(GAIN_COUNT)

    @property
    def variant(self) -> int:
        """Number of the variant that the present phrase shows, in `VARIANTS`."""
        return self._variant

    @property
    def strength(self) -> float:
        """Strength of the expression now, without accents, about 1."""
        return self._envelope.value

    def step(self, moment: Moment, level: float) -> None:
        """Advance over a moment; set `gains` and `shifts` at this level."""
        if self._envelope.step(moment):
            others = [number for number in range(VARIANT_COUNT) if number != self._variant]
            self._variant = self._random.choice(others)
        if moment.stressed:
            self._accent.start(ACCENT_PULL * moment.stressed, ACCENT_S)
        elapsed_s = moment.elapsed_s
        accent = self._accented.step(self._accent.step(elapsed_s), elapsed_s)
        excited = 1.0 + EXCITED * self._excited.step(excitement(moment), elapsed_s)
        weights = np.array(moment.emotion, dtype=np.float64)
        weights[_NEUTRAL] = 0.0
        total = float(weights.sum())
        shares = weights / max(1.0, total)
        values = self._bank.step(self._shown(shares), elapsed_s)
        shown = level * min(1.0, _SHARPNESS * total)
        if shown <= 0.0:
            self.gains = self.shifts = np.zeros(GAIN_COUNT)
            return
        strength = 1.0 + ENVELOPED * (excited * self._envelope.value - 1.0)
        strength += accent * (shares @ _ACCENTS)
        one_sided = self._side * values[-1] * np.minimum(ENVELOPED, 1.0)
        both = strength * values[:GROUP_COUNT]
        sides = np.concatenate((both * (1.0 + one_sided), both * (1.0 - one_sided)))
        self.gains = shown * (np.clip(sides, LEAST_GAIN, MOST_GAIN) - 1.0)
        shift = level * self._envelope.value * values[GROUP_COUNT:-1]
        self.shifts = np.concatenate((shift * (1.0 + one_sided), shift * (1.0 - one_sided)))

    def _shown(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return gains, shifts and tilt of the variant for shares of emotions, [2 groups + 1]."""
        number = self._variant
        gains = 1.0 + shares @ (_GAINS[:, number] - 1.0)
        return np.concatenate(
            (gains, shares @ _SHIFTS[:, number], [float(shares @ _TILTS[:, number])])
        )


MELODY_SEMITONES = 8.0
USUAL_LEVEL = 0.55


def excitement(moment: Moment) -> float:
    """Return how far a voice is above its usual loudness and melody, -1..1; 0 in a pause."""
    prosody = moment.prosody
    if not prosody.is_speaking:
        return 0.0
    raised = prosody.melody / MELODY_SEMITONES + (prosody.level - USUAL_LEVEL)
    return math.tanh(raised)
