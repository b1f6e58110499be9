"""Emotion over time: keyframes with blend weights, eased from one to the next.

Keyframes come from the config, or from a sidecar file beside a recording. For `speech.wav` that is
`speech.emotion.yaml`:

    - {at_s: 0, emotion: neutral}
    - {at_s: 2.5, emotion: "happy:0.7, surprised:0.2", over_s: 0.5}

or `speech.emotion.csv`, a table with the columns at_s, emotion and over_s. A trajectory can also
include the emotion estimated from a recording's own voice.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

from cstalk_bridge.document import Document, FieldError, Mark, read_document, read_text, validate
from cstalk_bridge.face.emotion import (
    TRANSITION_MS,
    EmotionWeights,
    EstimatedEmotion,
    Fade,
)
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.models.timing import HOP_S, HOP_SAMPLES
from cstalk_bridge.settings.table import setting
from cstalk_bridge.system.files import is_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.face.emotion import EmotionEstimator, VoiceWeights

    Floats = NDArray[np.float32]


MAX_KEYFRAMES = 10_000
"""Most keyframes of one trajectory."""

SIDECAR_SUFFIXES = (".emotion.yaml", ".emotion.csv")
"""Suffixes of sidecar files, in place of the recording's own suffix."""


class Keyframe(BaseModel):
    """From `at_s` on the emotion changes to `emotion` within `over_s` seconds; 0 is a cut."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_s: float = Field(ge=0.0, allow_inf_nan=False)
    emotion: EmotionWeights
    over_s: float = setting("over_s").field(default=1e-3 * TRANSITION_MS)


SIDECAR_COLUMNS = tuple(Keyframe.model_fields)


class KeyframeList(RootModel[Annotated[tuple[Keyframe, ...], Field(max_length=MAX_KEYFRAMES)]]):
    """The keyframes of a sidecar file, in rising order of `at_s`."""

    @model_validator(mode="after")
    def _in_order(self) -> KeyframeList:
        for earlier, later in zip(self.root, self.root[1:], strict=False):
            if later.at_s <= earlier.at_s:
                what = f"at_s {later.at_s:g} follows {earlier.at_s:g}: times must rise"
                raise FieldError(what, "sort the keyframes")
        return self


@dataclass(frozen=True, slots=True)
class EmotionTrajectory:
    """Keyframes in rising order of time; before the first the emotion is neutral.

    A key at 0 s is a cut: the first frame has its emotion.
    """

    keys: tuple[Keyframe, ...] = ()

    @classmethod
    def constant(cls, mix: Mapping[str, float]) -> EmotionTrajectory:
        """Return the trajectory of one constant mix."""
        return cls((Keyframe(at_s=0.0, emotion=dict(mix), over_s=0.0),) if mix else ())

    def weights(self, times_s: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the weights at rising times, float32 [time, emotions], in `EMOTIONS` order."""
        weights = np.zeros((len(times_s), len(EMOTIONS)), dtype=np.float32)
        fade = Fade(start=_vector({}), end=_vector({}), start_s=0.0, over_s=0.0)
        starts = np.searchsorted(times_s, [key.at_s for key in self.keys])
        for key, start in zip(self.keys, starts, strict=True):
            over_s = key.over_s if key.at_s > 0.0 else 0.0
            fade = fade.redirect(_vector(key.emotion), key.at_s, over_s)
            weights[start:] = fade.end
            moving = start + np.searchsorted(times_s[start:], key.at_s + over_s)
            for row in range(start, moving):
                weights[row] = fade.at(times_s[row])
        return weights


@dataclass(frozen=True, slots=True, eq=False)
class SampledEmotion:
    """The weights that a run had, `rate_hz` times a second: float32 [time, emotions]."""

    rate_hz: float
    samples: Floats

    def weights(self, times_s: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the weights at times, float32 [time, emotions], interpolated linearly."""
        if not len(self.samples):
            return np.zeros((len(times_s), len(EMOTIONS)), dtype=np.float32)
        places = np.arange(len(self.samples)) / self.rate_hz
        columns = [np.interp(times_s, places, column) for column in self.samples.T]
        return np.stack(columns, axis=1).astype(np.float32)

    @property
    def beginning(self) -> EmotionTrajectory:
        """The trajectory of the mix with which it begins."""
        first = self.weights(np.zeros(1))[0].tolist()
        mix = zip(EMOTIONS, first, strict=True)
        return EmotionTrajectory.constant({name: weight for name, weight in mix if weight})


def read_emotions(path: Path) -> EmotionTrajectory:
    """Read a sidecar file, CSV if it ends in .csv, else YAML. UserError with every problem."""
    document = _read_table(path) if path.suffix.lower() == ".csv" else read_document(path)
    return EmotionTrajectory(validate(KeyframeList, document).root)


def sidecar(recording: Path) -> Path | None:
    """Return the sidecar of a recording, None without one; UserError if there are two."""
    found = [p for suffix in SIDECAR_SUFFIXES if is_file(p := recording.with_suffix(suffix))]
    if len(found) > 1:
        what = f"{' and '.join(path.name for path in found)} both give its emotion"
        raise UserError(Problem(str(recording), what, "remove one of them"))
    return found[0] if found else None


def _vector(mix: Mapping[str, float]) -> NDArray[np.float32]:
    return np.array([mix.get(name, 0.0) for name in EMOTIONS], dtype=np.float32)


def _read_table(path: Path) -> Document:
    """Read a CSV table as a document of the YAML form, with the positions of its cells."""
    lines = csv.reader(io.StringIO(read_text(path), newline=""))
    try:
        return _table(path, lines)
    except csv.Error as error:
        raise UserError(Problem(f"{path}:{lines.line_num}:1", f"no CSV: {error}")) from None


def _table(path: Path, lines: Any) -> Document:
    """Return the rows below the header. UserError for another header, csv.Error for no CSV."""
    head = [cell.strip() for cell in next(lines, [])]
    if not head or not set(head) <= set(SIDECAR_COLUMNS):
        remedy = f"begin with the line {','.join(SIDECAR_COLUMNS)}"
        raise UserError(Problem(f"{path}:1:1", f"no such columns: {', '.join(head)}", remedy))
    rows: list[dict[str, Any]] = []
    marks: dict[tuple[str | int, ...], Mark] = {}
    for cells in filter(None, lines):
        for column, name in enumerate(head):
            marks[len(rows), name] = Mark(lines.line_num, column + 1)
        marks[(len(rows),)] = Mark(lines.line_num, 1)
        rows.append({name: cell.strip() for name, cell in zip(head, cells, strict=False) if cell})
    return Document(str(path), rows, marks, {})


KEYFRAME_HOPS = 25
"""Hops between estimated keyframes: half a second, faster than estimated emotion changes."""
WEIGHT_DIGITS = 2
"""Digits of estimated weights; equal rounded weights need no new keyframe."""


def estimated_trajectory(
    chosen: EmotionTrajectory,
    voice_weights: VoiceWeights,
    sound: Iterable[Floats],
    estimator: EmotionEstimator,
) -> EmotionTrajectory:
    """Return a trajectory of chosen weights blended with those estimated from the voice, as live.

    `sound` is the recording, float32 [samples] at 16 kHz in pieces of any length. Estimates are
    causal: each keyframe depends on earlier audio only.
    """
    keys: list[Keyframe] = []
    for number, estimate in enumerate(_estimates(sound, estimator)):
        at_s = number * KEYFRAME_HOPS * HOP_S
        row = estimate.blend(chosen.weights(np.array([at_s]))[0], voice_weights).tolist()
        weights = [round(weight, WEIGHT_DIGITS) for weight in row]
        emotion = {name: one for name, one in zip(EMOTIONS, weights, strict=True) if one}
        if len(keys) < MAX_KEYFRAMES and (not keys or emotion != keys[-1].emotion):
            over_s = KEYFRAME_HOPS * HOP_S if keys else 0.0
            keys.append(Keyframe(at_s=at_s, emotion=emotion, over_s=over_s))
    return EmotionTrajectory(tuple(keys))


def _estimates(sound: Iterable[Floats], estimator: EmotionEstimator) -> Iterator[EstimatedEmotion]:
    """Yield the estimate at the start, and after every `KEYFRAME_HOPS` hops."""
    yield EstimatedEmotion(np.zeros(len(EMOTIONS), dtype=np.float32), 0.0)
    hops = 0
    for samples in _whole_hops(sound):
        for estimate in estimator.process(samples):
            hops += 1
            if hops % KEYFRAME_HOPS == 0:
                yield estimate


def _whole_hops(sound: Iterable[Floats]) -> Iterator[Floats]:
    """Yield the audio in pieces of whole hops; a partial hop at the end is dropped."""
    left = np.zeros(0, dtype=np.float32)
    for samples in sound:
        joined = np.concatenate((left, samples))
        whole = len(joined) - len(joined) % HOP_SAMPLES
        if whole:
            yield joined[:whole]
        left = joined[whole:]
