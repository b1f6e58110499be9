"""RAVDESS, actors 01-04: acted emotions against the action units of the faces that spoke.

Distances are in board values over the channels that units tell about: measured units, above each
actor's rest, become channels as in `models.training.action_units`, which also says how strong an
emotion is at the two intensities that were played. `unseen` are the actors whose faces no
correlation network learned from (`ravdess_faces` of `split.json`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.groups import MOUTH, UPPER, jaw
from models.evaluation.loading import ravdess_captured
from models.evaluation.makers import perform
from models.evaluation.measures import Finding
from models.evaluation.metrics.distance import dynamics_deviation, mean_distance, squared_error
from models.evaluation.reading import archive_of
from models.evaluation.suites.suite import followed, mean, median
from models.regions import region_correlation, region_distance
from models.training.action_units import OBSERVED_CHANNELS, ActionUnits, emotion_of
from models.training.sources import held_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from models.evaluation.makers import Maker
    from models.evaluation.recordings import Folders

    Floats = NDArray[np.float32]
    Pair = tuple[Floats, Floats, str, str]
"""Made face, true face, emotion, actor."""


UNSEEN = "unseen_"
"""What goes before the names of distances to actors whose faces nothing learned from."""
OBSERVED = np.flatnonzero(OBSERVED_CHANNELS)
UNITS_MOUTH, UNITS_UPPER = (np.intersect1d(OBSERVED, group) for group in (MOUTH, UPPER))
"""Positions of channels that action units tell about."""


class Ravdess:
    """Lip-sync by emotion; distances and region correlation to the faces their units make."""

    title = "actors 01-04: acted emotions, OpenFace action units"
    source = "ravdess"
    is_timed = True

    def __init__(self, folders: Folders, most: int) -> None:
        self._clips = ravdess_captured(folders, most)
        path = folders.needed("ravdess/action_units_frames.npz")
        with archive_of(path) as archive:
            self._units = ActionUnits(archive)

    def measure(self, maker: Maker, lookahead_ms: int) -> Iterator[Finding]:
        """Yield agreement with and without the clip's emotion, and distances with it."""
        plain: list[float] = []
        own, emotions = [], []
        pairs: list[Pair] = []
        for clip in self._clips:
            stem = clip.name.split("/")[1]
            bare = perform(maker, clip, lookahead_ms)
            felt = perform(maker, clip, lookahead_ms, emotion_of(stem))
            if bare is None or felt is None:
                continue
            plain.append(followed(jaw(bare), clip, "AU25_r", "AU26_r").near)
            own.append(followed(jaw(felt), clip, "AU25_r", "AU26_r"))
            emotions.append(clip.emotion)
            true = self._units.channels(stem, clip.rows)
            if true is not None:
                pairs.append((felt, true, clip.emotion, stem[-2:]))
        near = [found.near for found in own]
        yield median("ravdess.plain_r", plain)
        yield median("ravdess.own_r", near)
        yield median("ravdess.own_r0", [found.together for found in own])
        yield median("ravdess.own_lag_ms", [found.lag_s * 1000 for found in own])
        lost = np.subtract(plain, near)
        yield mean("ravdess.loss", list(lost))
        played = np.array(emotions)
        for emotion in dict.fromkeys(emotions):
            of_it = played == emotion
            yield median(f"ravdess.{emotion}_r", list(np.array(near)[of_it]))
            yield mean(f"ravdess.{emotion}_loss", list(lost[of_it]))
        yield from _distances(pairs)
        unseen = held_out()["test"]["ravdess_faces"]
        yield from _compared([pair for pair in pairs if pair[3] in unseen], UNSEEN)


def _distances(pairs: list[Pair]) -> Iterator[Finding]:
    if not pairs:
        return
    yield from _compared(pairs)
    whole = [mean_distance(m[:, OBSERVED], t[:, OBSERVED]) for m, t, *_ in pairs]
    yield mean("ravdess.mve", whole)
    deviations = [dynamics_deviation(m[:, UNITS_UPPER], t[:, UNITS_UPPER]) for m, t, *_ in pairs]
    yield mean("ravdess.fdd", deviations)
    yield mean("ravdess.fdd_size", list(np.abs(deviations)))


def _compared(pairs: list[Pair], which: str = "") -> Iterator[Finding]:
    """Yield LVE, EVE and the regions' distance of `pairs`; `which` goes before their names."""
    if not pairs:
        return
    for name, group in (("lve", UNITS_MOUTH), ("eve", UNITS_UPPER)):
        errors = [squared_error(m[:, group], t[:, group]) for m, t, *_ in pairs]
        yield mean(f"ravdess.{which}{name}", errors)
    apart = []
    for emotion in dict.fromkeys(pair[2] for pair in pairs):
        made = [m for m, _, name, _ in pairs if name == emotion]
        true = [t for _, t, name, _ in pairs if name == emotion]
        one, other = (region_correlation(faces, OBSERVED_CHANNELS) for faces in (made, true))
        apart.append(region_distance(one, other))
    yield Finding(f"ravdess.{which}region_distance", float(np.mean(apart)), len(pairs))
