"""Crops of sessions, as the mood network learns from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from models.emotions import EMOTIONS
from models.mood.features import TRAITS
from models.mood.usual import inputs_of, usual_of
from models.training.mood_sessions import RAVDESS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from models.training.mood_sessions import Heard

    Floats = NDArray[np.float32]

CROP_HOPS = 120
BEFORE = (0, 0, 1, 2, 4, 8, 14)
"""Clips of the same session heard before, of which one number is drawn."""
CALM_BEFORE = 0.4
"""Chance that all those clips are neutral: one who is about to get angry."""
SHARES = np.array([0.14, *[0.11] * 6, 0.20])
"""How often a crop is of each acted emotion, and, last, of reading and tones."""
PRIOR = torch.tensor([SHARES[0] + SHARES[-1], *SHARES[1:-1]], dtype=torch.float32)
"""Share of each emotion among the crops, [emotions]."""


class Crops:
    """Draws crops of heard sessions; several hearings of a session are of one voice."""

    def __init__(self, heard: Sequence[Heard], average: Floats, random: np.random.Generator):
        self._heard = heard
        self._average = average
        self._random = random
        self._usual = [[one.usual(k) for k in range(len(one.spans))] for one in heard]
        self._places: list[dict[tuple[str, str, int], list[int]]] = [{} for _ in SHARES]
        for number, one in enumerate(heard):
            for clip, emotion in enumerate(one.session.classes):
                group = emotion if one.session.source == RAVDESS else len(EMOTIONS)
                key = (one.session.source, one.session.voice, clip)
                self._places[group].setdefault(key, []).append(number)
        self._keys = [list(places) for places in self._places]

    def draw(self, size: int, past_hops: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return inputs `[size, INPUTS, past + n]`, voicing `[size, n]` and emotions `[size]`."""
        random = self._random
        crops, emotions = [], []
        for group in random.choice(len(SHARES), size, p=SHARES):
            key = self._keys[group][random.integers(len(self._keys[group]))]
            hearings = self._places[group][key]
            number = hearings[random.integers(len(hearings))]
            crops.append(self._crop(number, key[2], past_hops))
            emotions.append(self._heard[number].session.classes[key[2]])
        inputs, voicing = zip(*crops, strict=True)
        columns = np.ascontiguousarray(np.stack(inputs).transpose(0, 2, 1))
        drawn = torch.from_numpy(columns), torch.from_numpy(np.stack(voicing))
        return *drawn, torch.tensor(emotions)

    def _crop(self, number: int, clip: int, past_hops: int) -> tuple[Floats, Floats]:
        """Return inputs [past + n, INPUTS] and voicing [n]; a clip's ends are held beyond it."""
        before = self._before(number, clip)
        inputs, voicing = inputs_of_clip(self._heard[number], clip, self._average, before)
        start = int(self._random.integers(max(1, len(inputs) - CROP_HOPS + 1)))
        rows = np.arange(start - past_hops, start + CROP_HOPS).clip(0, len(inputs) - 1)
        heard = voicing[start : start + CROP_HOPS]
        return inputs[rows], np.pad(heard, (0, CROP_HOPS - len(heard)))

    def _before(self, number: int, clip: int) -> tuple[Floats, np.float32]:
        """Return sums and hops of some clips of the session other than `clip`."""
        random, usual = self._random, self._usual[number]
        classes = self._heard[number].session.classes
        calm = random.random() < CALM_BEFORE
        others = [k for k, c in enumerate(classes) if k != clip and not (calm and c)]
        count = min(int(random.choice(BEFORE)), len(others))
        chosen = random.choice(len(others), count, replace=False) if count else ()
        sums, hops = np.zeros(TRAITS, dtype=np.float32), np.float32(0.0)
        for place in chosen:
            sums, hops = sums + usual[others[place]][0], hops + usual[others[place]][1]
        return sums, hops


def inputs_of_clip(
    heard: Heard, number: int, average: Floats, before: tuple[Floats, np.float32]
) -> tuple[Floats, Floats]:
    """Return inputs [hops, INPUTS] and voicing [hops] of a clip of a session.

    `before` are the sums of traits and the voiced hops already heard of the voice.
    """
    clip = heard.clip(number)
    sums = before[0] + (clip.traits * clip.voicing[:, None]).cumsum(axis=0)
    hops = before[1] + clip.voicing.cumsum()[:, None]
    differences = clip.traits - usual_of(sums, hops, clip.traits, average)
    return inputs_of(clip, differences), clip.voicing
