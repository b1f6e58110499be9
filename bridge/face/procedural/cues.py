"""The input of procedural animation at each tick: prosody and emotion, turned into events.

Emotions act on gaze, blinks and head by one table, blended by weight. Direct gaze in anger and joy,
averted gaze in fear and sadness: Adams and Kleck 2005. Blinks and spread of gaze in anger, sadness
and fear have the order measured on phone takes of one person idling in that emotion (few blinks and
wide gaze in fear). Head postures are this project's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.face.procedural.prosody import SILENCE, Prosody
from cstalk_bridge.models.emotions import EMOTIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class EmotionStyle:
    """How an emotion at weight 1 changes procedural motion; 0 is no change."""

    directness: float = 0.0
    """Natural logarithm of a factor: how long a look at the partner lasts."""
    gaze_spread: float = 0.0
    """Natural logarithm of a factor: how wide gaze goes."""
    blink_rate: float = 0.0
    """Natural logarithm of a factor: how often the eyes blink."""
    head_motion: float = 0.0
    """Natural logarithm of a factor: how far the head moves."""
    glance_deg: float = 0.0
    """Pitch added to looks away from the partner."""
    pitch_deg: float = 0.0
    """Posture of the head: pitch up."""
    roll_deg: float = 0.0
    """Posture of the head: roll to the side that the character prefers."""
    z_cm: float = 0.0
    """Posture of the head: towards the partner."""


EMOTION_STYLES: dict[str, EmotionStyle] = {
    "neutral": EmotionStyle(),
    "happy": EmotionStyle(
        directness=0.25, blink_rate=0.1, head_motion=0.3, pitch_deg=1.5, roll_deg=2.5, z_cm=0.3
    ),
    "sad": EmotionStyle(
        directness=-0.4, blink_rate=0.15, head_motion=-0.4, glance_deg=-5.0,
        pitch_deg=-4.0, roll_deg=1.5, z_cm=-0.4,
    ), "angry": EmotionStyle(directness=0.4, blink_rate=0.05, head_motion=0.3, pitch_deg=-2.5,
    z_cm=0.8), "surprised": EmotionStyle(directness=0.2, blink_rate=-0.4, pitch_deg=2.0, z_cm=-0.5),
    "fearful": EmotionStyle(
        directness=-0.5, gaze_spread=0.3, blink_rate=-0.6, head_motion=-0.1,
        pitch_deg=-1.0, z_cm=-1.0,
    ), "disgusted": EmotionStyle(directness=-0.3, head_motion=-0.1, pitch_deg=1.5, roll_deg=-1.5,
    z_cm=-0.7),
}  # fmt: skip
"""By the names of `cstalk_bridge.models.emotions.EMOTIONS`."""

_FIELDS = tuple(field.name for field in fields(EmotionStyle))
_TABLE = np.array(
    [[getattr(EMOTION_STYLES[name], field) for field in _FIELDS] for name in EMOTIONS]
)

NEUTRAL_STYLE = EmotionStyle()


def blend_styles(emotion: NDArray[np.float32]) -> EmotionStyle:
    """Return the blended style of weights, [emotions] in the order of `EMOTIONS`.

    Weights with a sum above 1.5 are scaled down to it, so that no mix exceeds a single emotion.
    """
    total = float(emotion.sum())
    if total <= 0.0:
        return NEUTRAL_STYLE
    share = min(1.0, 1.5 / total)
    return EmotionStyle(*(share * (emotion @ _TABLE)).tolist())


TURN_S = 1.5
"""A pause this long ends a turn: the speaker becomes a listener."""


def _no_emotion() -> NDArray[np.float32]:
    return np.zeros(len(EMOTIONS), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Cues:
    """Prosody of the voice now, and the emotion of the face, float32 [emotions].

    The array is not written to: the same object means the same emotion.
    """

    prosody: Prosody = SILENCE
    emotion: NDArray[np.float32] = field(default_factory=_no_emotion)


@dataclass(slots=True)
class Moment:
    """The state and events of one tick, input of every part of the animation."""

    elapsed_s: float = 0.0
    """Time since the last tick."""
    prosody: Prosody = SILENCE
    style: EmotionStyle = NEUTRAL_STYLE
    is_talking: bool = False
    """Whether the character has the turn: it speaks, or has paused for less than `TURN_S`."""
    stressed: float = 0.0
    """Prominence, 0..1, of a syllable stressed since the last tick, else 0."""
    phrase_ended: bool = False
    """Whether a phrase has ended since the last tick."""
    began: bool = False
    """Whether the character has begun a turn since the last tick."""
    emotion: NDArray[np.float32] = field(default_factory=_no_emotion)
    """Weights of the emotion, [emotions]; not written to."""


class CueTracker:
    """Turns cues into moments, by the difference to the counts of the last tick."""

    def __init__(self) -> None:
        self._moment = Moment()
        self._stresses = 0
        self._phrases = 0
        self._emotion: NDArray[np.float32] | None = None

    def step(self, cues: Cues, elapsed_s: float) -> Moment:
        """Return the moment of these cues; the object is reused by the next call.

        A count below the last one belongs to a new voice and gives no event.
        """
        moment, prosody = self._moment, cues.prosody
        is_talking = prosody.pause_s < TURN_S
        moment.began = is_talking and not moment.is_talking
        moment.is_talking = is_talking
        moment.elapsed_s = elapsed_s
        moment.prosody = prosody
        if cues.emotion is not self._emotion:
            self._emotion = moment.emotion = cues.emotion
            moment.style = blend_styles(cues.emotion)
        moment.stressed = prosody.stress if prosody.stresses > self._stresses else 0.0
        moment.phrase_ended = prosody.phrases > self._phrases
        self._stresses, self._phrases = prosody.stresses, prosody.phrases
        return moment
