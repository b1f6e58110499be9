"""What an emotion does to gaze, blinks and head: one table, blended by weight.

Direct gaze with anger and joy, averted gaze with fear and sadness: Adams and Kleck 2005. Blinks and
the spread of gaze of anger, sadness and fear have the order measured on phone takes of one person
idling in that emotion (few blinks and wide gaze in fear). Head postures are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from models.emotions import EMOTIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Mood:
    """How an emotion at weight 1 differs from the neutral face; 0 is no difference.

    The first four are natural logarithms of a factor: how long a look at the partner lasts, how
    wide gaze goes, how often eyes blink, how far the head moves. `glance_deg` lowers (-) where eyes
    go when they leave the partner. Posture: pitch up, roll to the side the character prefers,
    and z towards the partner.
    """

    directness: float = 0.0
    gaze_spread: float = 0.0
    blink_rate: float = 0.0
    head_motion: float = 0.0
    glance_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    z_cm: float = 0.0


MOODS: dict[str, Mood] = {
    "neutral": Mood(),
    "happy": Mood(
        directness=0.25, blink_rate=0.1, head_motion=0.3, pitch_deg=1.5, roll_deg=2.5, z_cm=0.3
    ),
    "sad": Mood(
        directness=-0.4, blink_rate=0.15, head_motion=-0.4, glance_deg=-5.0,
        pitch_deg=-4.0, roll_deg=1.5, z_cm=-0.4,
    ),
    "angry": Mood(directness=0.4, blink_rate=0.05, head_motion=0.3, pitch_deg=-2.5, z_cm=0.8),
    "surprised": Mood(directness=0.2, blink_rate=-0.4, pitch_deg=2.0, z_cm=-0.5),
    "fearful": Mood(
        directness=-0.5, gaze_spread=0.3, blink_rate=-0.6, head_motion=-0.1,
        pitch_deg=-1.0, z_cm=-1.0,
    ),
    "disgusted": Mood(directness=-0.3, head_motion=-0.1, pitch_deg=1.5, roll_deg=-1.5, z_cm=-0.7),
}  # fmt: skip
"""By the names of `models.emotions.EMOTIONS`."""

_FIELDS = tuple(field.name for field in fields(Mood))
_TABLE = np.array([[getattr(MOODS[name], field) for field in _FIELDS] for name in EMOTIONS])

NEUTRAL = Mood()


def blend(emotion: NDArray[np.float32]) -> Mood:
    """Return the mood of weights, [emotions] in the order of `EMOTIONS`.

    Weights that add up to more than 1.5 are scaled down to it, so that no mix goes beyond what one
    emotion can.
    """
    total = float(emotion.sum())
    if total <= 0.0:
        return NEUTRAL
    share = min(1.0, 1.5 / total)
    return Mood(*(share * (emotion @ _TABLE)).tolist())
