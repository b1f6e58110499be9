"""Crops of sessions, as the mood network learns from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.emotions import EMOTIONS
from models.mood.features import TRAITS
from models.mood.network import inputs_of
from models.mood.usual import usual_of
from models.training.mood_sessions import RAVDESS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.training.mood_sessions import Heard

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

    def __init__(self, heard: Sequence[Heard], average: Tensor, random: np.random.Generator):
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
        return torch.stack(inputs), torch.stack(voicing), torch.tensor(emotions)

    def _crop(self, number: int, clip: int, past_hops: int) -> tuple[Tensor, Tensor]:
        before = self._before(number, clip)
        inputs, voicing = inputs_of_clip(self._heard[number], clip, self._average, before)
        start = int(self._random.integers(max(1, inputs.shape[-1] - CROP_HOPS + 1)))
        padded = functional.pad(inputs, (past_hops, CROP_HOPS), mode="replicate")[0]
        heard = functional.pad(voicing, (0, CROP_HOPS))[start : start + CROP_HOPS]
        return padded[:, start : start + past_hops + CROP_HOPS], heard

    def _before(self, number: int, clip: int) -> tuple[Tensor, Tensor]:
        """Return sums and hops of some clips of the session other than `clip`."""
        random, usual = self._random, self._usual[number]
        classes = self._heard[number].session.classes
        calm = random.random() < CALM_BEFORE
        others = [k for k, c in enumerate(classes) if k != clip and not (calm and c)]
        count = min(int(random.choice(BEFORE)), len(others))
        chosen = random.choice(len(others), count, replace=False) if count else ()
        sums, hops = torch.zeros(TRAITS), torch.zeros(())
        for place in chosen:
            sums, hops = sums + usual[others[place]][0], hops + usual[others[place]][1]
        return sums, hops


def inputs_of_clip(
    heard: Heard, clip: int, average: Tensor, before: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Return inputs `[1, INPUTS, hops]` and voicing `[hops]` of a clip of a session.

    `before` are the sums of traits and the voiced hops already heard of the voice.
    """
    begin, end = heard.spans[clip]
    traits, voicing = heard.traits[:, begin:end].float(), heard.voicing[begin:end].float()
    sums = (before[0][:, None] + (traits * voicing).cumsum(1)).T
    hops = (before[1] + voicing.cumsum(0))[:, None]
    differences = (traits.T - usual_of(sums, hops, traits.T, average)).T
    motions = heard.motions[:, begin:end].float()
    return inputs_of(traits[None], differences[None], motions[None], voicing[None]), voicing
