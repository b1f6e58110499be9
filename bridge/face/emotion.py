"""A subject's emotion: blend weights as users write them, eased over time, joined by its voice.

Users write `happy:0.7, sad:0.2` or a mapping of names to weights. Two more names may stand there
where a voice is received: `auto`, the emotion estimated from the voice, and `arousal`, by which
the chosen weights rise with a voice that is louder and higher than its running baseline.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field

from cstalk_bridge.document import FieldError
from cstalk_bridge.face.procedural.motion import ease
from cstalk_bridge.models.emotions import EMOTIONS, MAX_WEIGHT, MOUTH_GUARD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class VoiceWeights:
    """How far a voice has a say: its mood, by `auto`, and its arousal; 0 is not at all."""

    auto: float = 0.0
    arousal: float = 0.0

    @property
    def are_any(self) -> bool:
        """Whether there is anything to hear."""
        return self.auto > 0.0 or self.arousal > 0.0


@dataclass(frozen=True, slots=True, eq=False)
class EstimatedEmotion:
    """What a voice seems to feel: a mood, float32 [emotions], 0..1, and arousal, -1..1."""

    mood: NDArray[np.float32]
    arousal: float

    def within(self, chosen: NDArray[np.float32], shares: VoiceWeights) -> NDArray[np.float32]:
        """Return a chosen mix, float32 [emotions], with what is felt, as far as `shares` say.

        The chosen weights swell with arousal, `MAX_WEIGHT` at most; the mood fills what they leave
        of 1. The neutral that somebody chose leaves no room either.
        """
        swelled = np.clip(chosen * (1.0 + shares.arousal * self.arousal), 0.0, MAX_WEIGHT)
        left = max(0.0, 1.0 - float(chosen.sum()))
        return np.asarray(swelled + shares.auto * left * self.mood, dtype=np.float32)


AUTO = "auto"
"""In the place of an emotion: that of the voice, as far as the others of the mix leave room."""
AROUSAL = "arousal"
"""How far the others of the mix swell, and shrink, with the arousal of the voice."""


def _emotion_hint(names: Sequence[str]) -> str:
    return f"use {', '.join(names)}, each with a weight from 0 to {MAX_WEIGHT:g}"


def read_emotion_weights(value: Any, names: Sequence[str] = EMOTIONS) -> Any:
    """Read `happy:0.7, sad:0.2`; a name without a weight has 1. FieldError names every fault.

    What is no text is returned as it is, None as the empty mix.
    """
    if not isinstance(value, str):
        return {} if value is None else value
    mix: dict[str, float] = {}
    faults = []
    for part in filter(None, (part.strip() for part in value.split(","))):
        name, _, weight = (piece.strip() for piece in part.partition(":"))
        if name in mix:
            faults.append(f"{name} stands twice")
        try:
            known = _known_emotion(name, names)
            mix[known] = _read_weight(weight or "1")
        except FieldError as error:
            faults.append(f"{part}: {error.what}")
    if faults:
        raise FieldError("; ".join(faults), _emotion_hint(names))
    return mix


def _read_weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = -1.0
    if not 0.0 <= weight <= MAX_WEIGHT:
        raise FieldError(f"the weight must be a number from 0 to {MAX_WEIGHT:g}, found {text}")
    return weight


def _known_emotion(name: str, names: Sequence[str] = EMOTIONS) -> str:
    if name not in names:
        raise FieldError(f"there is no emotion {name!r}", _emotion_hint(names))
    return name


EmotionName = Annotated[str, AfterValidator(_known_emotion)]
EmotionWeight = Annotated[float, Field(ge=0.0, le=MAX_WEIGHT, allow_inf_nan=False)]
EmotionWeights = Annotated[dict[EmotionName, EmotionWeight], BeforeValidator(read_emotion_weights)]

_VOICED_NAMES = (*EMOTIONS, AUTO, AROUSAL)
VoicedEmotionName = Annotated[str, AfterValidator(partial(_known_emotion, names=_VOICED_NAMES))]
VoicedEmotionWeights = Annotated[
    dict[VoicedEmotionName, EmotionWeight],
    BeforeValidator(partial(read_emotion_weights, names=_VOICED_NAMES)),
]
"""A mix which may also have `auto` and `arousal`."""


def chosen_weights(mix: Mapping[str, float]) -> dict[str, float]:
    """Return a mix without what is left to the voice."""
    return {name: weight for name, weight in mix.items() if name in EMOTIONS}


def voice_weights(mix: Mapping[str, float]) -> VoiceWeights:
    """Return how far the voice has a say in a mix."""
    return VoiceWeights(mix.get(AUTO, 0.0), mix.get(AROUSAL, 0.0))


V = TypeVar("V", float, "NDArray[np.float32]")

TRANSITION_MS = 400
"""Time over which a changed emotion is eased in where nothing else is said: as fast as a face
changes by itself, and slow enough that no frame jumps."""

MAX_TRANSITION_MS = 60_000

NO_VOICE_WEIGHTS = VoiceWeights()


@dataclass(frozen=True, slots=True)
class Fade(Generic[V]):
    """One value going over to another, as an emotion from one mix to the next.

    A mix is float32 [emotions], a weight 0 to `MAX_WEIGHT` each; all zero is neutral. The fade
    begins at `start_s` on the host clock and takes `over_s` seconds; 0 is a cut. Each number goes
    one way only, never back and never beyond its end: `ease` rises, and so do the product with a
    constant and the sum with one, rounded or not.
    """

    start: V
    end: V
    start_s: float
    over_s: float

    def at(self, now_s: float) -> V:
        """Return the value at host time `now_s`."""
        if now_s >= self.start_s + self.over_s:
            return self.end
        if now_s <= self.start_s:  # as another thread's clock may say, also of a cut
            return self.start
        share = ease((now_s - self.start_s) / self.over_s)
        return _held(self.start + (self.end - self.start) * share, self.start, self.end)

    def turn(self, end: V, now_s: float, over_s: float) -> Fade[V]:
        """Return the fade that leaves from where this one is now."""
        return Fade(start=self.at(now_s), end=end, start_s=now_s, over_s=over_s)


def _held(value: V, start: V, end: V) -> V:
    """Return a value that rounding put beyond its ends, at the nearer one."""
    if isinstance(value, float):
        return min(max(value, min(start, end)), max(start, end))
    return np.clip(value, np.minimum(start, end), np.maximum(start, end))


class EmotionState:
    """What a subject feels now.

    `weights` is float32 [emotions], 0 to `MAX_WEIGHT` each; all zero is neutral. `mouth_guard`,
    0..1, is the share of the emotion's mouth which full speech pushes aside; `transition_s` is how
    long a change takes where nothing else is said. `felt` is what the voice seems to feel, None
    where nobody listens; `shares` say how far that counts. One thread at a time may change it,
    while any others read it; `felt` is the generator thread's.
    """

    def __init__(
        self,
        weights: NDArray[np.float32],
        *,
        mouth_guard: float = MOUTH_GUARD,
        transition_s: float = 1e-3 * TRANSITION_MS,
        shares: VoiceWeights = NO_VOICE_WEIGHTS,
    ) -> None:
        self.transition_s = transition_s
        self.felt: EstimatedEmotion | None = None
        self._fade = Fade(weights, weights, start_s=0.0, over_s=0.0)
        self._guard = Fade(mouth_guard, mouth_guard, start_s=0.0, over_s=0.0)
        self._auto = Fade(shares.auto, shares.auto, start_s=0.0, over_s=0.0)
        self._arousal = Fade(shares.arousal, shares.arousal, start_s=0.0, over_s=0.0)

    @property
    def shares(self) -> VoiceWeights:
        """How far the voice has a say, once it is eased in."""
        return VoiceWeights(self._auto.end, self._arousal.end)

    def change(
        self, weights: NDArray[np.float32], now_s: float, over_s: float | None = None
    ) -> None:
        """Go over to `weights` within `over_s` or the set transition."""
        within_s = self.transition_s if over_s is None else over_s
        self._fade = self._fade.turn(weights, now_s, within_s)

    def change_guard(self, mouth_guard: float, now_s: float, over_s: float | None = None) -> None:
        """Go over to another mouth guard within `over_s` or the set transition."""
        within_s = self.transition_s if over_s is None else over_s
        self._guard = self._guard.turn(mouth_guard, now_s, within_s)

    def change_shares(
        self, shares: VoiceWeights, now_s: float, over_s: float | None = None
    ) -> None:
        """Let the voice have another say, within `over_s` or the set transition."""
        within_s = self.transition_s if over_s is None else over_s
        self._auto = self._auto.turn(shares.auto, now_s, within_s)
        self._arousal = self._arousal.turn(shares.arousal, now_s, within_s)

    def at(self, now_s: float) -> NDArray[np.float32]:
        """Return the mix at host time `now_s`, mood and all, float32 [emotions]."""
        felt, chosen = self.felt, self._fade.at(now_s)
        return (
            chosen
            if felt is None
            else felt.within(chosen, VoiceWeights(self._auto.at(now_s), self._arousal.at(now_s)))
        )

    def guard_at(self, now_s: float) -> float:
        """Return the mouth guard at host time `now_s`."""
        return self._guard.at(now_s)
