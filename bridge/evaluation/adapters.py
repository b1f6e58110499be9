"""The bridge's implementations of the protocols in `cstalk_bridge.models.evaluation.multimodal`:
`ProceduralAnimation`, a face with its procedural animation, and `MeasuredHead`, the rig map,
blendshapes and landmarks of a head.

Landmarks are found by what shapes move, without vertex numbers or names, so any head will do:

- The lips are the skin that `mouthFunnel` moves by at least `LIP_SHARE` of its most. What
  `jawOpen` takes along by less than `JAW_SPLIT` of its most is the upper lip, the rest the lower.
  The seam is where a vertex of one is within `SEAM_MM` of one of the other that falls by `JUMP` of
  the most more: beyond the corners the skin is continuous, and falls evenly.
- The corners are the seam's outer ends; a column of lip vertices is at each share of the half
  width, within `COLUMN_MM` to its sides, `LIP_MM` around the seam and not deeper than `INSIDE_MM`.
- Teeth are the parts of that name: those that `jawOpen` leaves behind are the upper ones. Of the
  central incisors (`INCISOR_MM` from the middle, `TOOTH_MM` from the foremost vertex) the cutting
  edge counts, `EDGE_MM` high.
- The tongue's tip is what `tongueOut` brings forward farthest. A brow is the skin that its shape
  raises most, on either side.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.face.procedural.animation import (
    MOTION_VALUES,
    ProceduralAnimation,
    overlay,
    prepare_boards,
)
from cstalk_bridge.face.procedural.cues import Cues
from cstalk_bridge.face.procedural.prosody import ProsodyTracker
from cstalk_bridge.heads.mesh import SHAPES, arkit_names
from cstalk_bridge.heads.reading import OWN_ID, chosen_head, read_head
from cstalk_bridge.models.board import AUDIO_DRIVEN_COLUMNS, CHANNELS
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.models.evaluation.multimodal import MultimodalClip
from cstalk_bridge.models.metrics.geometry import (
    BROWS,
    COLUMN_SHARES,
    FacePoints,
    Geometry,
    geometry_of,
)
from cstalk_bridge.models.timing import HOP_S, HOP_SAMPLES, ROW_RATE_HZ
from cstalk_bridge.rig import ARKIT_MAP
from cstalk_bridge.rig.curves import neutral_board
from cstalk_bridge.rig.load import load_rigmap

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.heads.mesh import Head, Part

    Floats = NDArray[np.float32]

    Places = NDArray[np.intp]


MM = 1000.0
LIP_SHARE = 0.2
JAW_SPLIT = 0.42
SEAM_MM = 1.5
JUMP = 0.15
COLUMN_MM = 2.2
LIP_MM, INSIDE_MM = 8.0, 6.0
CORNER_VERTICES = 3
INCISOR_MM, TOOTH_MM, EDGE_MM = 4.5, 5.0, 1.0
STAYS = 0.1
BROW_VERTICES = 20
TIP_SHARE = 0.95
NEEDED = ("jawOpen", "mouthFunnel", "browInnerUp", "browOuterUpLeft", "browOuterUpRight")


class _Part:
    """A part in millimetres, with its place in the points of all parts."""

    def __init__(self, part: Part, first: int) -> None:
        self.part = part
        self.first = first
        self.rest = MM * (part.positions + np.array(part.pivot, dtype=np.float32))

    def delta(self, name: str) -> Floats:
        """Return what a shape adds, [vertices, 3]."""
        shape = self.part.shapes.get(name)
        return np.zeros_like(self.rest) if shape is None else MM * shape.positions


def find_landmarks(head: Head) -> FacePoints:
    """Return the points of a head; UserError where it lacks skin, teeth or shapes they need."""
    parts, first = [], 0
    for part in head.parts:
        parts.append(_Part(part, first))
        first += len(part.positions)
    skin = _skin(head, parts)
    teeth = [part for part in parts if "teeth" in part.part.name.lower()]
    if not teeth:
        raise _missing(head, "no part whose name has `teeth` in it")
    corners, columns = _lips(head, skin)
    upper, lower = _incisors(head, teeth)
    groups = [
        *(part for column in columns for part in column),
        *corners,
        upper,
        lower,
        _tongue(parts, skin),
        *(_brow(skin, name) for name in BROWS),
    ]
    kept, places = _gathered(parts, groups)
    lips, count = places[: 2 * len(columns)], 2 * len(columns)
    return FacePoints(
        rest=kept[0],
        deltas=kept[1],
        upper_lip=tuple(lips[::2]),
        lower_lip=tuple(lips[1::2]),
        corners=(places[count], places[count + 1]),
        upper_teeth=places[count + 2],
        lower_teeth=places[count + 3],
        tongue=places[count + 4],
        brows=dict(zip(BROWS, places[count + 5 :], strict=True)),
    )


def _skin(head: Head, parts: list[_Part]) -> _Part:
    fitting = [part for part in parts if all(name in part.part.shapes for name in NEEDED)]
    if not fitting:
        raise _missing(head, f"no part that all of {', '.join(NEEDED)} move")
    return max(fitting, key=lambda part: len(part.rest))


def _lips(head: Head, skin: _Part) -> tuple[list[Places], list[tuple[Places, Places]]]:
    """Return corners, left and right, and of each column the upper and lower lip's vertices."""
    at, drop = skin.rest, -skin.delta("jawOpen")[:, 1]
    moved = np.linalg.norm(skin.delta("mouthFunnel"), axis=1)
    lips = np.flatnonzero(moved >= LIP_SHARE * moved.max())
    falls = drop[lips] >= JAW_SPLIT * drop.max()
    upper, lower = lips[~falls], lips[falls]
    if not len(upper) or not len(lower):
        raise _missing(head, "no lips that jawOpen parts")
    distances = np.linalg.norm(at[upper][:, None] - at[lower][None], axis=2)
    near, facing = distances.min(1), lower[distances.argmin(1)]
    parts = (near <= SEAM_MM) & (drop[facing] - drop[upper] >= JUMP * drop.max())
    if not parts.any():
        raise _missing(head, f"no lips within {SEAM_MM:g} mm of each other at rest")
    seam, near = ((at[upper] + at[facing]) / 2)[parts], near[parts]
    left, right = seam[seam[:, 0].argmax()], seam[seam[:, 0].argmin()]
    corners = [_closest(at[lips], point, lips) + skin.first for point in (left, right)]
    middle, half = (left[0] + right[0]) / 2, (left[0] - right[0]) / 2
    columns = []
    for share in COLUMN_SHARES:
        x = middle + share * half
        beside = np.abs(seam[:, 0] - x)
        point = seam[np.lexsort((-seam[:, 2], near + np.maximum(beside - COLUMN_MM, 0.0)))[0]]
        columns.append(
            (
                _column(at, upper, x, point) + skin.first,
                _column(at, lower, x, point) + skin.first,
            )
        )
    return corners, columns


def _column(at: Floats, among: Places, x: float, seam: Floats) -> Places:
    """Return the vertices of one lip beside `x`; the nearest one where none stands there."""
    points = at[among]
    around = np.linalg.norm(points[:, 1:] - seam[1:], axis=1)
    outside = points[:, 2] >= seam[2] - INSIDE_MM
    chosen = among[(np.abs(points[:, 0] - x) <= COLUMN_MM) & (around <= LIP_MM) & outside]
    return chosen if len(chosen) else _closest(points, np.array([x, *seam[1:]]), among)[:1]


def _closest(points: Floats, point: Floats, among: Places) -> Places:
    order = np.argsort(np.linalg.norm(points - point, axis=1))
    return np.asarray(among[order[:CORNER_VERTICES]])


def _incisors(head: Head, teeth: list[_Part]) -> tuple[Places, Places]:
    at = np.concatenate([part.rest for part in teeth])
    drop = np.concatenate([-part.delta("jawOpen")[:, 1] for part in teeth])
    own = np.concatenate([part.first + np.arange(len(part.rest)) for part in teeth])
    central = np.abs(at[:, 0]) <= INCISOR_MM
    found = []
    for falls, up in ((False, -1.0), (True, 1.0)):
        some = np.flatnonzero(central & ((drop > STAYS * drop.max()) == falls))
        if not len(some) or drop.max() <= 0:
            raise _missing(head, f"no {'lower' if falls else 'upper'} incisors")
        some = some[at[some, 2] >= at[some, 2].max() - TOOTH_MM]
        edge = up * at[some, 1]
        found.append(own[some[edge >= edge.max() - EDGE_MM]])
    return found[0], found[1]


def _tongue(parts: list[_Part], skin: _Part) -> Places:
    for part in parts:
        forward = part.delta("tongueOut")[:, 2]
        if part is not skin and forward.max(initial=0.0) > 1.0:
            return np.flatnonzero(forward >= TIP_SHARE * forward.max()) + part.first
    return np.zeros(0, dtype=np.intp)


def _brow(skin: _Part, name: str) -> Places:
    place, side = name.split("_")
    shape = "browInnerUp" if place == "inner" else f"browOuterUp{side.capitalize()}"
    raised = skin.delta(shape)[:, 1].copy()
    raised[(skin.rest[:, 0] > 0) != (side == "left")] = -np.inf
    return np.argsort(-raised)[:BROW_VERTICES] + skin.first


def _gathered(
    parts: list[_Part], groups: list[Places]
) -> tuple[tuple[Floats, Floats], list[Places]]:
    """Return rest and deltas of the vertices in any of `groups`, and the groups' places there."""
    wanted = np.unique(np.concatenate(groups))
    rest = np.concatenate([part.rest for part in parts])[wanted]
    deltas = np.stack(
        [np.concatenate([part.delta(name) for part in parts])[wanted] for name in arkit_names()]
    )
    return (rest, deltas), [np.searchsorted(wanted, group) for group in groups]


def _missing(head: Head, what: str) -> UserError:
    remedy = "name a head with lips, teeth and ARKit shapes"
    return UserError(Problem(head.name, f"cannot be measured: {what}", remedy))


class HeadInMm:
    """Measures faces on `head` (`cstalk_bridge.models.evaluation.multimodal.MeasuredHead`).

    UserError where the head has no landmarks.
    """

    def __init__(self, head: Head) -> None:
        self.head = head
        self.name = head.name
        self.points = find_landmarks(head)
        self._rigmap = load_rigmap(ARKIT_MAP)

    @classmethod
    def open(cls, path: Path | None) -> HeadInMm:
        """Read a head's file, None for our own; UserError where it cannot be measured."""
        head = read_head(chosen_head(path))
        return cls(head if path else replace(head, name=OWN_ID))

    def scores(self, face: Floats) -> dict[str, Floats]:
        """Return the ARKit curves, by name [rows], of a face [rows, 81] in `AUDIO_DRIVEN` order."""
        board = np.zeros((len(face), len(CHANNELS)), dtype=np.float32)
        board[:, AUDIO_DRIVEN_COLUMNS] = face
        times_s = np.arange(len(face)) / ROW_RATE_HZ
        pose = np.zeros((len(face), 6), dtype=np.float32)
        curves = self._rigmap.applier().apply_sequence(board, pose, times_s)[:, :SHAPES]
        return dict(zip(arkit_names(), curves.T, strict=True))

    def geometry(self, scores: Mapping[str, Floats]) -> Geometry:
        """Return the geometry under ARKit curves by name [rows]; names left out are at rest."""
        rows = len(next(iter(scores.values()))) if scores else 0
        still = np.zeros(rows, dtype=np.float32)
        values = np.stack([scores.get(name, still) for name in arkit_names()], 1)
        return geometry_of(self.points, values)


def animate(
    sound: NDArray[np.float32],
    emotions: NDArray[np.float32],
    face: NDArray[np.float32],
    seed: int,
) -> MultimodalClip:
    """Return the face of a recording with procedural animation
    (`cstalk_bridge.models.evaluation.multimodal.ProceduralAnimation`)."""
    rows = len(face)
    samples = np.zeros(rows * HOP_SAMPLES, dtype=np.float32)
    samples[: len(sound)] = sound[: len(samples)]
    tracker, animation = ProsodyTracker(), ProceduralAnimation(seed)
    numbers = np.zeros((rows, MOTION_VALUES), dtype=np.float32)
    head = np.zeros((rows, 6), dtype=np.float32)
    gaze_deg = np.zeros((rows, 2), dtype=np.float32)
    for row, prosody in enumerate(tracker.process(samples)):
        motion = animation.step(row * HOP_S, Cues(prosody, emotions[row]))
        numbers[row], head[row], gaze_deg[row] = motion.values, motion.head, motion.gaze_deg
    board = neutral_board(rows)
    board[:, AUDIO_DRIVEN_COLUMNS] = face
    return MultimodalClip(
        overlay(prepare_boards(board, animation.eased_levels), numbers), head, gaze_deg
    )
