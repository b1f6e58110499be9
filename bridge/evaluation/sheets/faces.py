"""The faces of a contact sheet: predicted and tracked faces rendered on heads, measured, captioned,
and laid out in rows of one PNG.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.heads.mesh import arkit_names
from cstalk_bridge.heads.portrait import Portrait, View
from cstalk_bridge.models.evaluation.predictors import predict_face
from cstalk_bridge.models.metrics.geometry import MIDDLE
from cstalk_bridge.models.timing import ROW_RATE_HZ
from cstalk_bridge.plot.panels import FONT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.evaluation.adapters import HeadInMm
    from cstalk_bridge.heads.mesh import Head, Part
    from cstalk_bridge.models.evaluation.predictors import Predictor
    from cstalk_bridge.models.evaluation.recordings import Folders, Recording
    from cstalk_bridge.models.metrics.geometry import FacePoints, Geometry

    Picture = NDArray[np.uint8]

    Floats = NDArray[np.float32]


PAPER, INK, FAINT, REAL = "#0d1117", "#e6edf3", "#9da7b3", "#f0a35e"
GAP, CAPTION, TITLE, LABEL = 4, 16, 30, 132
"""Pixels between pictures, of the texts below one, of the title, and of the texts beside a row."""
DPI = 100
POINTS = 72 / DPI
SMALL, LARGE = 10, 15
"""Heights of letters in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """A picture uint8 [height, width, 3] and what stands below it; None: an empty place.

    `is_real` marks the face of somebody who was tracked.
    """

    picture: Picture | None
    caption: str = ""
    is_real: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """Pictures side by side; `label` stands before them, a line for each of its lines."""

    label: str
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """Rows below a title. All pictures of a row have one size."""

    title: str
    rows: Sequence[Row]


def png_of(sheet: Sheet) -> bytes:
    """Return a sheet as PNG; ValueError where it has no picture."""
    from matplotlib.figure import Figure

    heights = [_height(row) for row in sheet.rows]
    if not any(heights):
        raise ValueError(f"the sheet `{sheet.title}` has no picture")
    width = LABEL + max(sum(_width(row) + GAP for _ in row.cells) for row in sheet.rows)
    height = TITLE + sum(one + CAPTION + GAP for one in heights)
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = [int(PAPER[at : at + 2], 16) for at in (1, 3, 5)]
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    texts: list[tuple[float, float, str, int, str]] = [(6, 19, sheet.title, LARGE, INK)]
    top = TITLE
    for row, high in zip(sheet.rows, heights, strict=True):
        texts += [
            (6, top + 14 + 14 * place, line, SMALL + 1, INK)
            for place, line in enumerate(row.label.splitlines())
        ]
        for place, cell in enumerate(row.cells):
            left = LABEL + place * (_width(row) + GAP)
            if cell.picture is not None:
                tall, wide = cell.picture.shape[:2]
                canvas[top : top + tall, left : left + wide] = cell.picture
            colour = REAL if cell.is_real else FAINT
            texts.append((left + 2, top + high + 12, cell.caption, SMALL, colour))
        top += high + CAPTION + GAP
    figure.figimage(canvas, 0, 0, origin="upper")
    for x, y, text, size, colour in texts:
        at = x / width, 1 - y / height
        figure.text(*at, text, fontsize=size * POINTS, color=colour, fontfamily=FONT)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=DPI)
    return out.getvalue()


def _sizes(row: Row) -> list[tuple[int, ...]]:
    return [cell.picture.shape for cell in row.cells if cell.picture is not None]


def _height(row: Row) -> int:
    return max((shape[0] for shape in _sizes(row)), default=0)


def _width(row: Row) -> int:
    return max((shape[1] for shape in _sizes(row)), default=0)


MM = 1000.0
LIP, BROW = (0.36, 0.115, 0.105), (0.09, 0.05, 0.035)
"""Linear colours."""
BROW_STRENGTH = 0.85
UPPER_SHARE, LOWER_SHARE = 0.15, 0.20
"""Height of the lips' red above and below the seam, in the middle, over the mouth's width."""
EDGE_SHARE = 0.03
BROW_MM, BROW_EDGE_MM = 2.6, 1.6
LIFT_MM = {"inner": 4.5, "outer": 1.5}
"""How far over the skin that moves most a brow lies: a brow that is lower inside frowns."""
DEPTH_MM = 12.0
DISTINCT = 0.08
"""Difference from the skin's colour from which lips are to be seen."""


def painted(head: Head, points: FacePoints) -> dict[str, Floats]:
    """Return colours of the skin by its part's name, linear [vertices, 3]; nothing to keep all."""
    skin = max(head.parts, key=lambda part: len(part.positions) * ("jawOpen" in part.shapes))
    bare = np.median(skin.colours, axis=0)
    at = MM * (skin.positions + np.array(skin.pivot, np.float32))
    lips = _lips(at, points)
    own = np.abs(skin.colours - bare).max(1)
    if (
        np.average(own, weights=lips + 1e-9) > DISTINCT
        and (own[lips > 0.9] > DISTINCT).mean() > 0.5
    ):
        return {}
    colours = np.tile(bare, (len(at), 1))
    for weight, colour in ((lips, LIP), (BROW_STRENGTH * _brows(head, skin, at, points), BROW)):
        colours += weight[:, None] * (np.array(colour) - colours)
    return {skin.name: colours.astype(np.float32)}


def _lips(at: Floats, points: FacePoints) -> Floats:
    """Return how far each vertex [vertices, 3] belongs to the red of the lips, 0..1."""
    seam = [
        (points.rest[u][:, 1].min() + points.rest[v][:, 1].max()) / 2
        for u, v in zip(points.upper_lip, points.lower_lip, strict=True)
    ]
    across = [points.rest[u][:, 0].mean() for u in points.upper_lip]
    left, right = (points.rest[corner].mean(0) for corner in points.corners)
    x = np.array([right[0], *across, left[0]])
    y = np.array([right[1], *seam, left[1]])
    width = float(left[0] - right[0])
    share = np.clip(1 - np.square((at[:, 0] - x.mean()) / (width / 2)), 0, 1) ** 0.7
    above = at[:, 1] - np.interp(at[:, 0], x, y)
    height = np.where(above > 0, UPPER_SHARE, LOWER_SHARE) * width * share
    front = points.rest[points.upper_lip[MIDDLE]][:, 2].max()
    near = at[:, 2] > np.interp(np.abs(at[:, 0] - x.mean()), (0, width / 2), (front, left[2])) - (
        DEPTH_MM
    )
    inside = np.clip((height - np.abs(above)) / (EDGE_SHARE * width) + 0.5, 0, 1)
    return np.asarray(inside * near * (share > 0))


def _brows(head: Head, skin: Part, at: Floats, points: FacePoints) -> Floats:
    """Return how far each vertex belongs to a brow, 0..1; none where a part is one already."""
    if any("brow" in part.name.lower() for part in head.parts if part is not skin):
        return np.zeros(len(at), np.float32)
    weight = np.zeros(len(at), np.float32)
    for side in ("left", "right"):
        inner, outer = (
            points.rest[points.brows[f"{place}_{side}"]].mean(0) + np.array([0.0, lift_mm, 0.0])
            for place, lift_mm in LIFT_MM.items()
        )
        along = outer[:2] - inner[:2]
        share = np.clip((at[:, :2] - inner[:2]) @ along / (along @ along), -0.15, 1.15)
        distance = np.linalg.norm(at[:, :2] - inner[:2] - share[:, None] * along, axis=1)
        thick = BROW_MM * (1.1 - 0.5 * np.clip(share, 0, 1))
        own = np.clip((thick - distance) / BROW_EDGE_MM + 0.5, 0, 1)
        weight = np.maximum(weight, own * (at[:, 2] > min(inner[2], outer[2]) - DEPTH_MM))
    return np.asarray(weight, dtype=np.float32)


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
class ShownFace:
    """A face over time on one head: ARKit's curves [rows, 52], and its millimetres.

    `lips_mm` [rows] is the gap of real lips as they were tracked, None for a made face;
    `is_real` marks a tracked face, not a generated one.
    """

    scores: Floats
    mm: Geometry
    lips_mm: Floats | None = None
    is_real: bool = False


class SheetHead:
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

    def shown(self, scores: Mapping[str, Floats]) -> ShownFace:
        """Return a face by its ARKit curves by name [rows]; names left out are at rest."""
        rows = len(next(iter(scores.values())))
        still = np.zeros(rows, dtype=np.float32)
        values = np.stack([scores.get(name, still) for name in arkit_names()], 1)
        return ShownFace(values.astype(np.float32), self.measured.geometry(scores))

    def mouth(self, scores: Floats, yaw_deg: float = 0.0) -> Picture:
        """Return a picture of the mouth under `scores` [52], from the side by `yaw_deg`."""
        return self._portrait.draw(scores, self._mouth.turned(yaw_deg), *MOUTH_PIXELS)

    def face(self, scores: Floats, yaw_deg: float = 0.0) -> Picture:
        """Return a picture of the whole face, as `mouth`."""
        return self._portrait.draw(scores, self._face.turned(yaw_deg), *FACE_PIXELS)

    def mouth_cell(self, shown: ShownFace, row: int, caption: str) -> Cell:
        """Return the mouth of one row, captioned with its gap and the teeth's.

        Before a real mouth's figures on this head, in brackets, stands the gap of its own lips.
        """
        row = int(np.clip(row, 0, len(shown.scores) - 1))
        figures = f"{shown.mm.gap[row]:.1f}|{shown.mm.teeth[row]:.1f}"
        if shown.lips_mm is not None:
            figures = f"{shown.lips_mm[row]:.1f} ({figures})"
        return Cell(self.mouth(shown.scores[row]), f"{caption} {figures}", is_real=shown.is_real)


@dataclass(frozen=True, slots=True, eq=False)
class SheetContext:
    """A predictor at one look-ahead, the data's folders, and the heads, the main one first."""

    predictor: Predictor
    lookahead_ms: int
    folders: Folders
    stages: tuple[SheetHead, ...]

    def perform(
        self, recording: Recording, stage: SheetHead, emotion: Mapping[str, float] | None = None
    ) -> ShownFace:
        """Return the made face of a recording; ValueError where the predictor makes none of it."""
        face = predict_face(self.predictor, recording, self.lookahead_ms, emotion)
        if face is None:
            raise ValueError(f"{self.predictor.name} makes no face of {recording.name}")
        return stage.shown(stage.measured.scores(face))

    @property
    def label(self) -> str:
        """Who makes the faces, for a title."""
        return f"{self.predictor.name}, {self.lookahead_ms} ms"


def tracked_face(recording: Recording, stage: SheetHead) -> ShownFace:
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
