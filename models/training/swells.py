"""How an emotion comes up in each part of a face once somebody speaks, and fades after it.

Parts do not move in step: brows follow phrases, lids and cheeks come and go sooner, the nose
soonest of all. What brows do on one stressed syllable accents a word and is no part of an emotion.
The times are round figures, fitted to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.board import AUDIO_DRIVEN
from models.regions import REGION_OF
from models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPOKEN = 0.45
"""Stress beyond which somebody speaks."""
BREATH_S = 0.1
"""Silence longer than this ends a phrase."""


@dataclass(frozen=True, slots=True)
class Swell:
    """A part's course: it comes up by 1 - 1/e in `rise_s` of speech, fades to 1/e in `fade_s`.

    At full stress the part shows by `stress_lifts` more than the course says.
    """

    rise_s: float
    fade_s: float
    stress_lifts: float


SWELLS = {
    "brow": Swell(rise_s=0.5, fade_s=2.5, stress_lifts=0.0),
    "eyelid_cheek": Swell(rise_s=0.2, fade_s=1.2, stress_lifts=0.15),
    "nose": Swell(rise_s=0.15, fade_s=0.6, stress_lifts=0.15),
    "mouth": Swell(rise_s=0.02, fade_s=1.6, stress_lifts=0.0),
}
"""By region of the face; "mouth" is the course of every other region."""

_ORDER = {part: place for place, part in enumerate(SWELLS)}

SWELL_OF = torch.tensor([_ORDER.get(REGION_OF[name], _ORDER["mouth"]) for name in AUDIO_DRIVEN])
"""Each channel's place in `SWELLS`, [channels]."""

STRESS_LIFTS = torch.tensor([swell.stress_lifts for swell in SWELLS.values()])[SWELL_OF]
"""Of each channel, [channels]."""


def swells_of(spoken: NDArray[Any], rows: NDArray[Any]) -> NDArray[np.float32]:
    """Return how much of each swell is there at `rows` [time], 0..1, [time, swells].

    `spoken` are the times, rising and in rows too, at which somebody speaks.
    """
    if not len(spoken):
        return np.zeros((len(rows), len(SWELLS)), dtype=np.float32)
    breaks = np.flatnonzero(np.diff(spoken) > BREATH_S * ROW_RATE_HZ)
    starts = spoken[np.concatenate(([0], breaks + 1))] / ROW_RATE_HZ
    ends = spoken[np.concatenate((breaks, [len(spoken) - 1]))] / ROW_RATE_HZ
    times_s = np.asarray(rows) / ROW_RATE_HZ
    courses = [_course(swell, starts, ends, times_s) for swell in SWELLS.values()]
    return np.stack(courses, 1).astype(np.float32)


def _course(
    swell: Swell, starts: NDArray[Any], ends: NDArray[Any], times_s: NDArray[Any]
) -> NDArray[np.float64]:
    """Return one swell at `times_s`; phrases last from `starts` to `ends`, all in seconds."""
    missing = np.ones(len(starts))  # of the whole, when a phrase begins
    left = np.zeros(len(starts))  # when it ends
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if i:
            missing[i] = 1.0 - left[i - 1] * np.exp((ends[i - 1] - start) / swell.fade_s)
        left[i] = 1.0 - missing[i] * np.exp((start - end) / swell.rise_s)
    last = np.searchsorted(starts, times_s, side="right") - 1
    phrase = np.maximum(last, 0)
    risen = 1.0 - missing[phrase] * np.exp(-np.maximum(times_s - starts[phrase], 0) / swell.rise_s)
    faded = left[phrase] * np.exp(-np.maximum(times_s - ends[phrase], 0) / swell.fade_s)
    return np.where(last < 0, 0.0, np.where(times_s <= ends[phrase], risen, faded))
