"""Which phone class a viewer could name: told from nothing but what is visible of a mouth.

Each phone is one sample, its middle row (`Geometry.visible`) and those `AROUND_ROWS` before and
after, in millimetres. A linear discriminant learns from every other clip and names the phones of
the rest; then the halves change places. The figure is the mean over the classes of the share named
right: guessing gives 100 / number of classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.aligned_voices import (
    grid_spoken,
    kathleen_read,
    ravdess_spoken,
    voices_there,
)
from models.evaluation.geometry.heads import needed
from models.evaluation.makers import perform
from models.evaluation.measures import Finding
from models.evaluation.metrics.articulation import middles
from models.evaluation.metrics.discriminant import learn, recall
from models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from models.evaluation.geometry.heads import MeasuredHead
    from models.evaluation.makers import Maker
    from models.evaluation.recordings import Folders

    Floats = NDArray[np.float32]
    Sample = tuple[Floats, NDArray[np.int64], int]
    """Features [samples, features], classes [samples], and the number of the clip."""

CLASSES: dict[str, tuple[str, ...]] = {
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
"""Phone classes by name: those that people can tell apart by sight, roughly."""
TRACKED = ("gap_mm", "height_mm", "width_mm", "inner_width_mm", "protrusion_mm", "corner_mm")
AROUND_ROWS = 3
FEWEST = 8
"""Samples in either half that a class must have to be asked for."""
VOICES = {"kathleen": kathleen_read, "grid": grid_spoken, "ravdess": ravdess_spoken}


class Visemes:
    """Of each voice; `real` are the tracked lips of the GRID talker, `lips` ours without teeth."""

    source = ""
    is_timed = True

    def __init__(self, folders: Folders, most: int, head: MeasuredHead | None) -> None:
        self._head = needed(head)
        self.title = f"phone classes named from what is visible, on {self._head.name}"
        self._voices = voices_there(VOICES, folders, most)
        self._real = list(named("visemes.real", self._tracked()))

    def measure(self, maker: Maker, lookahead_ms: int) -> Iterator[Finding]:
        """Yield rates in percent."""
        for name, clips in self._voices.items():
            whole, lips = [], []
            for number, clip in enumerate(clips):
                face = perform(maker, clip, lookahead_ms)
                if face is None:
                    break
                found = self._head.geometry(self._head.scores(face))
                seen = (clip.phone_rows(), number)
                whole.append(samples(found.visible(), *seen))
                alone = np.stack((found.gap, found.width, found.protrusion), 1)
                lips.append(samples(alone, *seen))
            yield from named(f"visemes.{name}", whole)
            if name == "grid":
                yield from named("visemes.grid_lips", lips)
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


def samples(seen: Floats, phones: NDArray[np.int64], clip: int) -> Sample:
    """Return the samples of a clip: `seen` [rows, features] at and around each phone's middle."""
    at, classes = [], []
    for number, names in enumerate(CLASSES.values()):
        rows = middles(phones, names)
        at += rows.tolist()
        classes += [number] * len(rows)
    moments = [np.clip(np.array(at, dtype=np.int64) + by, 0, len(seen) - 1) for by in _MOMENTS]
    features = np.concatenate([seen[rows] for rows in moments], 1)
    return features, np.array(classes, dtype=np.int64), clip


_MOMENTS = (-AROUND_ROWS, 0, AROUND_ROWS)


def named(key: str, clips: Sequence[Sample]) -> Iterator[Finding]:
    """Yield how many classes are named right, in percent, where there are at least two."""
    if not clips:
        return
    features = np.concatenate([clip[0] for clip in clips])
    classes = np.concatenate([clip[1] for clip in clips])
    half = np.concatenate([np.full(len(clip[1]), clip[2] % 2) for clip in clips])
    asked = [
        kind
        for kind in range(len(CLASSES))
        if min((classes[half == side] == kind).sum() for side in (0, 1)) >= FEWEST
    ]
    kept = np.isin(classes, asked)
    features, classes, half = features[kept], classes[kept], half[kept]
    if len(asked) > 1:
        told = np.zeros_like(classes)
        for side in (0, 1):
            told[half == side] = learn(features[half != side], classes[half != side]).tell(
                features[half == side]
            )
        yield Finding(key, 100 * recall(told, classes), len(classes))
