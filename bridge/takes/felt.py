"""The emotion that a recording's own voice seems to have, as keys of a course."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.face.felt import Felt
from bridge.takes.emotions import MAX_KEYS, EmotionCourse, Key
from models.emotions import EMOTIONS
from models.timing import HOP_S, HOP_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from bridge.face.feeling import Feeling
    from bridge.face.felt import Shares

    Floats = NDArray[np.float32]

KEY_HOPS = 25
"""A key for each half second: a mood moves more slowly than that."""
DIGITS = 2
"""A mood that stays within a hundredth needs no new key."""


def felt_course(
    chosen: EmotionCourse, shares: Shares, sound: Iterable[Floats], feeling: Feeling
) -> EmotionCourse:
    """Return a course in which what a voice feels is mixed with what is chosen, as in a run.

    `sound` is the recording at 16 kHz, in pieces of any length; a mood is known no sooner than it
    was heard.
    """
    keys: list[Key] = []
    for number, felt in enumerate(_felt(sound, feeling)):
        at_s = number * KEY_HOPS * HOP_S
        row = felt.within(chosen.weights(np.array([at_s]))[0], shares).tolist()
        weights = [round(weight, DIGITS) for weight in row]
        emotion = {name: one for name, one in zip(EMOTIONS, weights, strict=True) if one}
        if len(keys) < MAX_KEYS and (not keys or emotion != keys[-1].emotion):
            over_s = KEY_HOPS * HOP_S if keys else 0.0
            keys.append(Key(at_s=at_s, emotion=emotion, over_s=over_s))
    return EmotionCourse(tuple(keys))


def _felt(sound: Iterable[Floats], feeling: Feeling) -> Iterator[Felt]:
    """Yield what is felt at the begin, and after every `KEY_HOPS` hops."""
    yield Felt(np.zeros(len(EMOTIONS), dtype=np.float32), 0.0)
    hops = 0
    for samples in _whole_hops(sound):
        for felt in feeling.hear(samples):
            hops += 1
            if hops % KEY_HOPS == 0:
                yield felt


def _whole_hops(sound: Iterable[Floats]) -> Iterator[Floats]:
    """Yield the sound in pieces of whole hops; what is left at the end is dropped."""
    left = np.zeros(0, dtype=np.float32)
    for samples in sound:
        joined = np.concatenate((left, samples))
        whole = len(joined) - len(joined) % HOP_SAMPLES
        if whole:
            yield joined[:whole]
        left = joined[whole:]
