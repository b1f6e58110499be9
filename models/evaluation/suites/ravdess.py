"""RAVDESS, actors 01-04: acted emotions against the action units of the faces that spoke."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.evaluation import action_units
from models.evaluation.groups import jaw
from models.evaluation.loading import ravdess_captured
from models.evaluation.makers import perform
from models.evaluation.measures import Finding
from models.evaluation.metrics.distance import dynamics_deviation, mean_distance, squared_error
from models.evaluation.suites.suite import followed, mean, median
from models.regions import region_distance
from models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from models.evaluation.makers import Maker
    from models.evaluation.recordings import Folders, Recording

    Floats = NDArray[np.float32]
    Pair = tuple[Floats, Floats, Recording]


class Ravdess:
    """Lip-sync by emotion; distances and region correlation in action units (0..5)."""

    title = "actors 01-04: acted emotions, OpenFace action units"
    source = "ravdess"
    is_timed = True

    def __init__(self, folders: Folders, most: int) -> None:
        self._clips = ravdess_captured(folders, most)

    def measure(self, maker: Maker, lookahead_ms: int) -> Iterator[Finding]:
        """Yield agreement with and without the clip's emotion, and distances with it."""
        plain: list[float] = []
        own = []
        pairs: list[Pair] = []
        for clip in self._clips:
            bare = perform(maker, clip, lookahead_ms)
            felt = perform(maker, clip, lookahead_ms, clip.emotion)
            if bare is None or felt is None:
                continue
            plain.append(followed(jaw(bare), clip, "AU25_r", "AU26_r").near)
            own.append(followed(jaw(felt), clip, "AU25_r", "AU26_r"))
            pairs.append((*_units(felt, clip), clip))
        if not pairs:
            return
        near = [found.near for found in own]
        yield median("ravdess.plain_r", plain)
        yield median("ravdess.own_r", near)
        yield median("ravdess.own_r0", [found.together for found in own])
        yield median("ravdess.own_lag_ms", [found.lag_s * 1000 for found in own])
        spoken = [clip.emotion for _, _, clip in pairs]
        for emotion in dict.fromkeys(spoken):
            of_it = [r for r, name in zip(near, spoken, strict=True) if name == emotion]
            yield median(f"ravdess.{emotion}_r", of_it)
        yield mean("ravdess.loss", list(np.subtract(plain, near)))
        yield from _distances(pairs)


def _units(face: Floats, clip: Recording) -> tuple[Floats, Floats]:
    """Return made and true units, [frames, units] both, at the times of the captured frames."""
    made = action_units.units_of(face)
    rows_s = np.arange(len(made)) / ROW_RATE_HZ
    at_frames = [np.interp(clip.times_s, rows_s, unit) for unit in made.T]
    true = [clip.curves[f"{unit}_r"] for unit in action_units.UNITS]
    return np.stack(at_frames, 1).astype(np.float32), np.stack(true, 1)


def _distances(pairs: list[Pair]) -> Iterator[Finding]:
    mouth, upper = list(action_units.MOUTH), list(action_units.UPPER)
    yield mean("ravdess.lve", [squared_error(m[:, mouth], t[:, mouth]) for m, t, _ in pairs])
    yield mean("ravdess.eve", [squared_error(m[:, upper], t[:, upper]) for m, t, _ in pairs])
    yield mean("ravdess.mve", [mean_distance(m, t) for m, t, _ in pairs])
    deviations = [dynamics_deviation(m[:, upper], t[:, upper]) for m, t, _ in pairs]
    yield mean("ravdess.fdd", deviations)
    yield mean("ravdess.fdd_size", list(np.abs(deviations)))
    apart = []
    for emotion in dict.fromkeys(clip.emotion for _, _, clip in pairs):
        made = [m for m, _, clip in pairs if clip.emotion == emotion]
        true = [t for _, t, clip in pairs if clip.emotion == emotion]
        couplings = action_units.couplings
        apart.append(region_distance(couplings(made), couplings(true)))
    yield Finding("ravdess.region_distance", float(np.mean(apart)), len(pairs))
