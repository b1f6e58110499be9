"""Tracked lips of many people, whose sentences nobody wrote down.

The sound of a broadcast and its picture are seldom in step. Each person's lag is the one at which
the tracked lip gap follows the gap that the articulation network expects of the sound
(`targets.py`), over all of that person's clips; few clips lean on those of everybody. Phones are
those that the speech encoder recognises: the most likely sequence, in which a change has a price.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from cstalk_bridge.models.metrics.curves import LAGS_S, lagged
from cstalk_bridge.models.phones import PHONES
from cstalk_bridge.models.timing import HOP_S, ROW_RATE_HZ
from cstalk_bridge.models.training.captured_faces import (
    CURVES,
    EYES_APART_CM,
    LIMITS,
    REST_PERCENT,
    TRACKED_LIPS,
)
from cstalk_bridge.models.training.sources import clips_of, people_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.models.training.alignment import Segment

    Floats = NDArray[np.float32]


CHANGE_COST = 3.0
"""Of one phone following another, in natural logarithms of probability: 1.2 changes more than the
likeliest phone of each row would bring none."""
LEAST_PROBABILITY = 1e-4
TOUCHING_CM, NEAR_ROWS = 0.25, 2
"""Lips that come so near within so many rows of a closure that was heard make it."""
_SPAN = 2 * NEAR_ROWS + 1
LEANING_CLIPS = 5.0
"""Clips of a person that count as much as what those of everybody who trains show of the lag."""
REST_MOST_CM = 0.15
"""Somebody whose lips never come closer is taken to close them no further than this."""
LEAST_ROWS = 25
"""A clip with fewer rows of tracked lips is left out."""


def touching(gap_cm: Floats) -> Floats:
    """Return 1 where lips with a gap [time] close within a few rows, 0 where they do not, [time].

    The encoder mishears phones of a language that it was not taught; the eye does not.
    """
    reach = np.lib.stride_tricks.sliding_window_view(np.pad(gap_cm, NEAR_ROWS, mode="edge"), _SPAN)
    return np.asarray(reach.min(1) < TOUCHING_CM, dtype=np.float32)


def recognised_segments(probabilities: Floats) -> list[Segment]:
    """Return the likeliest phones of probabilities [rows, phones] as segments, silence included."""
    scores = np.log(np.maximum(probabilities, LEAST_PROBABILITY))
    best = scores[0].copy()
    came_from = np.zeros(scores.shape, dtype=np.int64)
    for row in range(1, len(scores)):
        other = int(best.argmax())
        stays = best >= best[other] - CHANGE_COST
        came_from[row] = np.where(stays, np.arange(len(best)), other)
        best = np.maximum(best, best[other] - CHANGE_COST) + scores[row]
    path = np.empty(len(scores), dtype=np.int64)
    path[-1] = best.argmax()
    for row in range(len(scores) - 1, 0, -1):
        path[row - 1] = came_from[row, path[row]]
    edges = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), len(path)]
    return [(start * HOP_S, end * HOP_S, PHONES[path[start]]) for start, end in pairwise(edges)]


@dataclass(frozen=True, slots=True, eq=False)
class TrackedLips:
    """One clip: `times_s` [frames] of the sound, and `CURVES` of the tracker [frames, curves]."""

    times_s: NDArray[np.float64]
    curves: Floats


@dataclass(frozen=True, slots=True)
class Person:
    """How one person was recorded: the picture is `lag_s` early; `rest` [curves] is a mouth that
    does nothing."""

    lag_s: float
    rest: Floats


class Strangers:
    """The clips of `strangers/curves.npz`, by file stem."""

    def __init__(self, folder: Path, expected: Mapping[str, Floats]) -> None:
        """`expected` are the curves [rows, curves] that the sound of every clip leads to expect."""
        with np.load(folder / "curves.npz") as archive:
            lips = {stem: _tracked(archive, stem) for stem in expected if stem in archive.files}
        self.lips = {stem: one for stem, one in lips.items() if len(one.times_s) >= 2}
        self.person_of = people_of("strangers", folder)
        training = {c.path.stem for c in clips_of("strangers", folder) if c.part == "train"}
        following = {
            stem: lagged(expected[stem][:, _GAP], one.times_s, one.curves[:, _GAP])
            for stem, one in self.lips.items()
        }
        everybody = [r for stem, r in following.items() if stem in training]
        mean = np.mean(everybody, axis=0) if everybody else np.zeros(len(LAGS_S))
        self.people = {
            person: self._person(person, expected, following, mean)
            for person in sorted({self.person_of[stem] for stem in self.lips})
        }

    def _person(
        self,
        person: str,
        expected: Mapping[str, Floats],
        following: Mapping[str, NDArray[np.float64]],
        everybody: NDArray[np.float64],
    ) -> Person:
        stems = [stem for stem in self.lips if self.person_of[stem] == person]
        together = np.sum([following[stem] for stem in stems], axis=0) + LEANING_CLIPS * everybody
        tracked = np.concatenate([self.lips[stem].curves for stem in stems])
        rest = np.percentile(tracked, REST_PERCENT, axis=0)
        rest[_GAP] = min(rest[_GAP], REST_MOST_CM)
        usual = np.concatenate([expected[stem][:, _WIDTH] for stem in stems]).mean()
        rest[_WIDTH] = tracked[:, _WIDTH].mean() - usual
        return Person(float(LAGS_S[together.argmax()]), rest.astype(np.float32))

    def rows_of(self, stem: str, rows: int) -> slice:
        """Return in which of the `rows` of a clip its lips are known; in none if in too few."""
        if stem not in self.lips:
            return slice(0, 0)
        times_s = self.lips[stem].times_s + self.people[self.person_of[stem]].lag_s
        first = max(0, int(np.ceil(times_s[0] * ROW_RATE_HZ)))
        end = min(int(np.floor(times_s[-1] * ROW_RATE_HZ)) + 1, rows)
        return slice(first, end) if end - first >= LEAST_ROWS else slice(0, 0)

    def mouth(self, stem: str, rows: int) -> Floats:
        """Return the curves of a clip, in step with its sound, [rows, curves]."""
        person, lips = self.people[self.person_of[stem]], self.lips[stem]
        times_s = lips.times_s + person.lag_s
        at_s = np.arange(rows) / ROW_RATE_HZ
        columns = [np.interp(at_s, times_s, curve) for curve in (lips.curves - person.rest).T]
        return np.asarray(np.clip(np.stack(columns, 1), *np.array(LIMITS).T), dtype=np.float32)


_GAP, _PUCKER, _WIDTH = (CURVES.index(name) for name in ("gap", "pucker", "width"))


def _tracked(archive: Any, stem: str) -> TrackedLips:
    scores: Sequence[str] = list(archive["names"])
    seen: Sequence[str] = list(archive["lips_names"])
    lips = EYES_APART_CM * archive[f"{stem}__lips"].astype(np.float32)
    curves = np.empty((len(lips), len(CURVES)), dtype=np.float32)
    curves[:, _GAP], curves[:, _WIDTH] = (lips[:, seen.index(name)] for name in TRACKED_LIPS)
    curves[:, _PUCKER] = archive[stem][:, scores.index("mouthPucker")]
    known = np.isfinite(curves).all(1)
    return TrackedLips(archive[f"{stem}__t"].astype(np.float64)[known], curves[known])
