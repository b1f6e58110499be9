"""Lips and teeth of real voices at their phones, in millimetres.

The phone classes that a viewer could recognise are estimated from the visible mouth alone, by
linear discriminant analysis with a shrunk covariance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.evaluation.measures import Measurement, mean, percentile
from cstalk_bridge.models.evaluation.multimodal import required_head
from cstalk_bridge.models.evaluation.predictors import predict_face
from cstalk_bridge.models.evaluation.recordings import (
    Recording,
    kokoro,
)
from cstalk_bridge.models.evaluation.voices import (
    grid_spoken,
    kathleen_read,
    ravdess_spoken,
    voices_there,
)
from cstalk_bridge.models.metrics.geometry import (
    joined,
    lips_at_phones,
    middles,
    mouth_at_phones,
)
from cstalk_bridge.models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.models.evaluation.multimodal import MeasuredHead
    from cstalk_bridge.models.evaluation.predictors import Predictor
    from cstalk_bridge.models.evaluation.recordings import Folders


if TYPE_CHECKING:
    Doubles = NDArray[np.float64]


if TYPE_CHECKING:
    Floats = NDArray[np.float32]


if TYPE_CHECKING:
    Sample = tuple[Floats, NDArray[np.int64], int]


if TYPE_CHECKING:
    """Features [samples, features], classes [samples], and the number of the clip."""


SHRINKAGE = 0.05
"""Share of the mean variance in the pooled covariance: keeps features that never move harmless."""


@dataclass(frozen=True, slots=True, eq=False)
class Discriminant:
    """`classes` [classes] in order, with the linear score of each: `x @ weights + bias`."""

    classes: NDArray[np.int64]
    weights: Doubles
    bias: Doubles

    def classify(self, features: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return the class of each row of `features` [samples, features]."""
        return np.asarray(self.classes[(features @ self.weights + self.bias).argmax(1)])


def fit_discriminant(features: NDArray[np.floating], classes: NDArray[np.int64]) -> Discriminant:
    """Fit class means and one covariance, with equal priors.

    `features` is [samples, features], `classes` [samples].
    """
    kinds, place = np.unique(classes, return_inverse=True)
    x = features.astype(np.float64)
    means = np.stack([x[place == kind].mean(0) for kind in range(len(kinds))])
    within = x - means[place]
    covariance = within.T @ within / max(1, len(x) - len(kinds))
    ridge = SHRINKAGE * max(float(np.trace(covariance)) / len(covariance), 1e-9)
    weights = np.linalg.solve(covariance + ridge * np.eye(len(covariance)), means.T)
    return Discriminant(kinds, weights, -0.5 * np.einsum("ij,ji->i", means, weights))


def mean_recall(predicted: NDArray[np.int64], true: NDArray[np.int64]) -> float:
    """Return the mean over classes of the share predicted right, 0..1."""
    return float(np.mean([(predicted[true == kind] == kind).mean() for kind in np.unique(true)]))


VOICES: dict[str, Callable[[Folders, int], list[Recording]]] = {
    "kathleen": kathleen_read,
    "grid": grid_spoken,
    "ravdess": ravdess_spoken,
    "kokoro": kokoro,
}
"""Three sources of real voices, and the synthetic voices, whose phones are exact."""
SHARES = ("closed", "false", "teeth", "tucked", "rounded", "funnelled", "misrounded")
REST_PERCENT = 5
"""Percentile of a tracked lip gap that is taken as closed lips."""


class Articulation:
    """Neutral faces; `real` is the tracked GRID talker."""

    source = ""
    is_timed = True

    def __init__(self, folders: Folders, max_clips: int, head: MeasuredHead | None) -> None:
        self._head = required_head(head)
        self.title = f"lips and teeth at phones, in mm, on {self._head.name}"
        self._rest_mm = float(self._head.geometry({"jawOpen": np.zeros(1, np.float32)}).width[0])
        self._voices = voices_there(VOICES, folders, max_clips)
        tracked = [_tracked(clip) for clip in self._voices.get("grid", ())]
        self._real = joined(one for one in tracked if one)

    def measure(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield shares in percent and gaps in millimetres, by voice."""
        for name, clips in self._voices.items():
            generated = [(predict_face(predictor, clip, lookahead_ms), clip) for clip in clips]
            faces = [(face, clip.phone_rows()) for face, clip in generated if face is not None]
            found = joined(
                mouth_at_phones(self._head.geometry(self._head.scores(face)), self._rest_mm, phones)
                for face, phones in faces
            )
            if found:
                yield from measurements_at_phones(f"articulation.{name}", found)
        if self._real:
            yield from measurements_at_phones("articulation.real", self._real)


def measurements_at_phones(key: str, found: Mapping[str, list[float]]) -> Iterator[Measurement]:
    """Yield the measurements at phones under `<key>_<measure>`."""
    for share in SHARES:
        if share in found:
            yield mean(f"{key}_{share}", [100 * value for value in found[share]])
    yield percentile(f"{key}_narrowest", found["narrowest"], 90)
    if "sibilant" in found:
        yield mean(f"{key}_sibilant", found["sibilant"])
    open_, close = mean(f"{key}_open", found["open"]), mean(f"{key}_close", found["close"])
    yield from (open_, close)
    if open_.count and close.count and close.value > 0:
        count = open_.count + close.count
        yield Measurement(f"{key}_contrast", open_.value / close.value, count)


def _tracked(clip: Recording) -> dict[str, list[float]]:
    """Return the captured lips at the clip's phones; empty where none were captured."""
    if "gap_mm" not in clip.curves or not len(clip.times_s):
        return {}
    gap = clip.curves["gap_mm"]
    rest = float(np.percentile(gap, REST_PERCENT))
    rows_s = np.arange(clip.rows) / ROW_RATE_HZ
    return lips_at_phones(np.interp(rows_s, clip.times_s, gap - rest), clip.phone_rows())


VISEME_CLASSES: dict[str, tuple[str, ...]] = {
    "p b m": ("P", "B", "M"),
    "f v": ("F", "V"),
    "th dh": ("TH", "DH"),
    "s z": ("S", "Z"),
    "sh zh ch jh": ("SH", "ZH"),
    "t d n l": ("T", "D", "N", "L"),
    "k g ng h": ("K", "G", "NG", "HH"),
    "r er": ("R", "ER"),
    "w": ("W",),
    "oo": ("UW", "UH"),
    "aw": ("AO",),
    "ee y": ("IY", "Y"),
    "ih": ("IH",),
    "eh": ("EH",),
    "ae": ("AE",),
    "ah aa": ("AH", "AA"),
}
"""Phone classes by name: roughly those that people can distinguish by sight."""
TRACKED = ("gap_mm", "height_mm", "width_mm", "inner_width_mm", "protrusion_mm", "corner_mm")
AROUND_ROWS = 3
FEWEST_SAMPLES = 8
"""Samples that a class must have in either half to be included."""
VISEME_VOICES = {"kathleen": kathleen_read, "grid": grid_spoken, "ravdess": ravdess_spoken}


class Visemes:
    """Each voice; `real`: the tracked lips of the GRID talker, `lips`: generated, without teeth."""

    source = ""
    is_timed = True

    def __init__(self, folders: Folders, max_clips: int, head: MeasuredHead | None) -> None:
        self._head = required_head(head)
        self.title = f"phone classes recognised from the visible mouth, on {self._head.name}"
        self._voices = voices_there(VISEME_VOICES, folders, max_clips)
        self._real = list(class_recall("visemes.real", self._tracked()))

    def measure(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield rates in percent."""
        for name, clips in self._voices.items():
            whole, lips = [], []
            for number, clip in enumerate(clips):
                face = predict_face(predictor, clip, lookahead_ms)
                if face is None:
                    break
                found = self._head.geometry(self._head.scores(face))
                place = (clip.phone_rows(), number)
                whole.append(samples(found.visible(), *place))
                alone = np.stack((found.gap, found.width, found.protrusion), 1)
                lips.append(samples(alone, *place))
            yield from class_recall(f"visemes.{name}", whole)
            if name == "grid":
                yield from class_recall("visemes.grid_lips", lips)
        yield from self._real

    def _tracked(self) -> list[Sample]:
        found = []
        for number, clip in enumerate(self._voices.get("grid", ())):
            if all(name in clip.curves for name in TRACKED):
                rows_s = np.arange(clip.rows) / ROW_RATE_HZ
                curves = [np.interp(rows_s, clip.times_s, clip.curves[name]) for name in TRACKED]
                lips = np.stack(curves, 1).astype(np.float32)
                found.append(samples(lips, clip.phone_rows(), number))
        return found


def samples(visible: Floats, phones: NDArray[np.int64], clip: int) -> Sample:
    """Return the samples of a clip: `visible` [rows, features] at and around phone centres."""
    at, classes = [], []
    for number, names in enumerate(VISEME_CLASSES.values()):
        rows = middles(phones, names)
        at += rows.tolist()
        classes += [number] * len(rows)
    moments = [np.clip(np.array(at, dtype=np.int64) + by, 0, len(visible) - 1) for by in _MOMENTS]
    features = np.concatenate([visible[rows] for rows in moments], 1)
    return features, np.array(classes, dtype=np.int64), clip


_MOMENTS = (-AROUND_ROWS, 0, AROUND_ROWS)


def class_recall(key: str, clips: Sequence[Sample]) -> Iterator[Measurement]:
    """Yield the mean recall over classes, in percent, where there are at least two."""
    if not clips:
        return
    features = np.concatenate([clip[0] for clip in clips])
    classes = np.concatenate([clip[1] for clip in clips])
    half = np.concatenate([np.full(len(clip[1]), clip[2] % 2) for clip in clips])
    included = [
        kind
        for kind in range(len(VISEME_CLASSES))
        if min((classes[half == side] == kind).sum() for side in (0, 1)) >= FEWEST_SAMPLES
    ]
    kept = np.isin(classes, included)
    features, classes, half = features[kept], classes[kept], half[kept]
    if len(included) > 1:
        predicted = np.zeros_like(classes)
        for side in (0, 1):
            predicted[half == side] = fit_discriminant(
                features[half != side], classes[half != side]
            ).classify(features[half == side])
        yield Measurement(key, 100 * mean_recall(predicted, classes), len(classes))
