"""Where pictures for sheets are taken: a maker of faces, and heads to show them on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bridge.evaluation.paint import painted
from bridge.evaluation.portrait import Portrait, View
from bridge.evaluation.sheets.canvas import Cell
from bridge.heads.names import arkit_names
from models.evaluation.geometry.points import MIDDLE
from models.evaluation.makers import perform
from models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from bridge.evaluation.measured_head import HeadInMm
    from models.evaluation.geometry.measure import Geometry
    from models.evaluation.makers import Maker
    from models.evaluation.recordings import Folders, Recording

    Floats = NDArray[np.float32]
    Picture = NDArray[np.uint8]

M = 1e-3
MOUTH_WIDTHS = 1.5
"""Width of a picture of the mouth, over that of the mouth at rest."""
MOUTH_PIXELS, FACE_PIXELS = (124, 88), (176, 212)
FACE_SHARE, FACE_CENTRE = 2.3, 0.40
"""Height of a picture of the face over the way from mouth to brow, and its middle on that way."""
PARTING = ("mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft", "mouthLowerDownRight")
PARTED = 0.5
"""Score at which it is measured how far the shapes of `PARTING` part the lips."""
TRACKED_GAP = "gap_mm"
REST_PERCENT, MOST_REST_MM = 5, 1.0
"""Percentile of a tracked gap that counts as closed lips, unless it is more than these have."""
BEHIND_M = 0.03
"""How far behind the lips the axis lies about which a face turns in its pictures."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A face over time on one head: ARKit's curves [rows, 52], and its millimetres.

    `lips_mm` [rows] is the gap of real lips as they were tracked, None for a made face;
    `is_real` tells a tracked face from a made one.
    """

    scores: Floats
    mm: Geometry
    lips_mm: Floats | None = None
    is_real: bool = False


class Stage:
    """A head to be measured and photographed."""

    def __init__(self, measured: HeadInMm) -> None:
        self.measured = measured
        self.name = measured.name
        points = self.measured.points
        self._portrait = Portrait(self.measured.head, painted(self.measured.head, points))
        lips = points.rest[points.upper_lip[MIDDLE]]
        mouth_y = float(lips[:, 1].min())
        brow_y = float(np.mean([points.rest[brow][:, 1].mean() for brow in points.brows.values()]))
        front = float(lips[:, 2].max()) * M
        left, right = (points.rest[corner].mean(0) for corner in points.corners)
        wide, high = MOUTH_PIXELS
        width = MOUTH_WIDTHS * float(left[0] - right[0]) * M
        self._mouth = View((0.0, (mouth_y - 2) * M, front), width, width * high / wide)
        wide, high = FACE_PIXELS
        height = FACE_SHARE * (brow_y - mouth_y) * M
        middle = (mouth_y + FACE_CENTRE * (brow_y - mouth_y)) * M
        self._face = View((0.0, middle, front - BEHIND_M), height * wide / high, height)

    def shown(self, scores: Mapping[str, Floats]) -> Shown:
        """Return a face by its ARKit curves by name [rows]; names left out are at rest."""
        rows = len(next(iter(scores.values())))
        still = np.zeros(rows, dtype=np.float32)
        values = np.stack([scores.get(name, still) for name in arkit_names()], 1)
        return Shown(values.astype(np.float32), self.measured.geometry(scores))

    def mouth(self, scores: Floats, yaw_deg: float = 0.0) -> Picture:
        """Return a picture of the mouth under `scores` [52], from the side by `yaw_deg`."""
        return self._portrait.draw(scores, self._mouth.turned(yaw_deg), *MOUTH_PIXELS)

    def face(self, scores: Floats, yaw_deg: float = 0.0) -> Picture:
        """Return a picture of the whole face, as `mouth`."""
        return self._portrait.draw(scores, self._face.turned(yaw_deg), *FACE_PIXELS)

    def mouth_cell(self, shown: Shown, row: int, words: str) -> Cell:
        """Return the mouth of one row, captioned with its gap and the teeth's.

        Before a real mouth's figures on this head, in brackets, stands the gap of its own lips.
        """
        row = int(np.clip(row, 0, len(shown.scores) - 1))
        figures = f"{shown.mm.gap[row]:.1f}|{shown.mm.teeth[row]:.1f}"
        if shown.lips_mm is not None:
            figures = f"{shown.lips_mm[row]:.1f} ({figures})"
        return Cell(self.mouth(shown.scores[row]), f"{words} {figures}", is_real=shown.is_real)


@dataclass(frozen=True, slots=True, eq=False)
class Studio:
    """A maker at one look-ahead, the data's folders, and the heads, the first one the leading."""

    maker: Maker
    lookahead_ms: int
    folders: Folders
    stages: tuple[Stage, ...]

    def perform(
        self, recording: Recording, stage: Stage, emotion: Mapping[str, float] | None = None
    ) -> Shown:
        """Return the made face of a recording; ValueError where the maker makes none of it."""
        face = perform(self.maker, recording, self.lookahead_ms, emotion)
        if face is None:
            raise ValueError(f"{self.maker.name} makes no face of {recording.name}")
        return stage.shown(stage.measured.scores(face))

    @property
    def words(self) -> str:
        """Who makes the faces, for a title."""
        return f"{self.maker.name}, {self.lookahead_ms} ms"


def captured(recording: Recording, stage: Stage) -> Shown:
    """Return the tracked face of a recording on a head, read at the rows of made faces.

    A tracker's scores are shy: they open a head less than the lips that it saw were apart. Where
    those are known the head's lips are drawn as far apart, by the shapes of `PARTING`; the teeth
    stay where the scores put them.
    """
    rows_s = np.arange(recording.rows) / ROW_RATE_HZ
    curves = {
        name: np.interp(rows_s, recording.times_s, recording.curves[name]).astype(np.float32)
        for name in (*arkit_names(), TRACKED_GAP)
        if name in recording.curves
    }
    lips_mm = curves.pop(TRACKED_GAP, None)
    if lips_mm is not None:
        parted = np.full(1, PARTED, dtype=np.float32)
        whole_mm = stage.shown(dict.fromkeys(PARTING, parted)).mm.gap[0] / PARTED
        rest_mm = min(float(np.percentile(lips_mm, REST_PERCENT)), MOST_REST_MM)
        lacking_mm = lips_mm - rest_mm - stage.shown(curves).mm.gap
        more = np.clip(lacking_mm / whole_mm, 0.0, 1.0).astype(np.float32)
        for name in PARTING:
            curves[name] = np.minimum(curves.get(name, 0.0) + more, 1.0).astype(np.float32)
    return replace(stage.shown(curves), is_real=True, lips_mm=lips_mm)
