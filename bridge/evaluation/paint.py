"""Lips and brows painted on a head that has none to be seen.

A scanned head without its texture has lips and brows of the skin's colour: one cannot tell a smile
from a grimace on it. Where they are is told by the landmarks; a head with lips keeps its own
colours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.geometry.points import MIDDLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bridge.heads.mesh import Head, Part
    from models.evaluation.geometry.points import FacePoints

    Floats = NDArray[np.float32]

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
