"""What a face is told each tick, and how it takes it in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bridge.face.alive.mood import NEUTRAL, Mood, blend
from bridge.face.alive.prosody import SILENCE, Prosody
from models.emotions import EMOTIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

TURN_S = 1.5
"""A pause this long ends a turn: who talked, listens."""


def _no_emotion() -> NDArray[np.float32]:
    return np.zeros(len(EMOTIONS), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Cues:
    """What the voice does now, and the emotion of the face, float32 [emotions].

    The emotion is not written to: the same array is the same emotion.
    """

    prosody: Prosody = SILENCE
    emotion: NDArray[np.float32] = field(default_factory=_no_emotion)


@dataclass(slots=True)
class Moment:
    """One tick as the parts of a face see it.

    `elapsed_s` since the last tick; `stressed` is the prominence, 0..1, of a syllable stressed
    since then, else 0; `phrase_ended` and `began` (to speak after a turn of silence) likewise.
    """

    elapsed_s: float = 0.0
    prosody: Prosody = SILENCE
    mood: Mood = NEUTRAL
    is_talking: bool = False
    stressed: float = 0.0
    phrase_ended: bool = False
    began: bool = False


class Hearing:
    """Turns cues into moments: it remembers what was counted before."""

    def __init__(self) -> None:
        self._moment = Moment()
        self._stresses = 0
        self._phrases = 0
        self._emotion: NDArray[np.float32] | None = None

    def step(self, cues: Cues, elapsed_s: float) -> Moment:
        """Return the moment of these cues; it is overwritten by the next.

        A count that is less than before is that of a new voice, whose past is no event.
        """
        moment, prosody = self._moment, cues.prosody
        is_talking = prosody.pause_s < TURN_S
        moment.began = is_talking and not moment.is_talking
        moment.is_talking = is_talking
        moment.elapsed_s = elapsed_s
        moment.prosody = prosody
        if cues.emotion is not self._emotion:
            self._emotion = cues.emotion
            moment.mood = blend(cues.emotion)
        moment.stressed = prosody.stress if prosody.stresses > self._stresses else 0.0
        moment.phrase_ended = prosody.phrases > self._phrases
        self._stresses, self._phrases = prosody.stresses, prosody.phrases
        return moment
