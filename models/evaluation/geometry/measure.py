"""What a mouth and brows do, in millimetres.

Heights and gaps are above the same head at rest, whose lips are closed and whose teeth meet. So a
head that was modelled with parted lips, or with an overbite, measures 0 at rest like any other.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.geometry.points import BROWS, MIDDLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.evaluation.geometry.points import FacePoints

    Floats = NDArray[np.float32]

_ABSOLUTE = {"width", "lip_over_teeth", "tongue"}
"""Fields of `Geometry` that are no way from rest."""


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """A face over time, float32 [rows] each, in millimetres.

    `gaps` [rows, columns] is the opening between the lips as seen from the front, 0 or more, `gap`
    the one in the middle. `teeth` is the opening between the incisors' edges. `width` is the
    distance of the corners. `upper_protrusion` and `lower_protrusion` are how far the lips come
    forward. `lip_over_teeth` is how far the lower lip reaches above the upper incisors' edge:
    negative where teeth stand free of it. `tongue` is how far its tip is in front of that edge
    (negative behind it, 0 on a head without one). `corner_left`, `corner_right` and `brow`
    [rows, 4] (as `BROWS`) are heights above rest.
    """

    gaps: Floats
    teeth: Floats
    width: Floats
    upper_protrusion: Floats
    lower_protrusion: Floats
    lip_over_teeth: Floats
    tongue: Floats
    corner_left: Floats
    corner_right: Floats
    brow: Floats

    @property
    def gap(self) -> Floats:
        """The gap in the middle of the lips."""
        return np.asarray(self.gaps[:, MIDDLE])

    @property
    def protrusion(self) -> Floats:
        """The mean of both lips' protrusion."""
        return np.asarray((self.upper_protrusion + self.lower_protrusion) / 2)

    def visible(self) -> Floats:
        """Return what a viewer sees of a mouth, [rows, 11]: gaps, teeth, width, lips, tongue."""
        single = (
            self.teeth,
            self.width,
            self.upper_protrusion,
            self.lower_protrusion,
            self.lip_over_teeth,
            self.tongue,
        )
        return np.concatenate((self.gaps, np.stack(single, 1)), 1)


def geometry_of(points: FacePoints, scores: Floats) -> Geometry:
    """Return the geometry of a head under ARKit curves `scores` [rows, curves]."""
    still = _raw(points, points.rest[None])
    parts = [_raw(points, positions) for positions in points.posed(scores)]
    if not parts:
        parts = [_raw(points, points.rest[None][:0])]
    names = [field.name for field in fields(Geometry)]
    raw = {name: np.concatenate([part[name] for part in parts]) for name in names}
    for name in set(names) - _ABSOLUTE:
        raw[name] = raw[name] - still[name]
    raw["gaps"] = np.maximum(raw["gaps"], 0.0)
    return Geometry(**{name: values.astype(np.float32) for name, values in raw.items()})


def _raw(points: FacePoints, at: Floats) -> dict[str, Floats]:
    """Return the fields of `Geometry` of positions [rows, points, 3], nothing taken off."""
    upper, lower = points.upper_lip, points.lower_lip
    gaps = [at[:, u, 1].min(1) - at[:, v, 1].max(1) for u, v in zip(upper, lower, strict=True)]
    left, right = (at[:, corner].mean(1) for corner in points.corners)
    edge = at[:, points.upper_teeth]
    tip = at[:, points.tongue, 2] if len(points.tongue) else edge[:, :, 2]
    return {
        "gaps": np.stack(gaps, 1),
        "teeth": edge[..., 1].min(1) - at[:, points.lower_teeth, 1].max(1),
        "width": np.linalg.norm(left - right, axis=1),
        "upper_protrusion": at[:, upper[MIDDLE], 2].max(1),
        "lower_protrusion": at[:, lower[MIDDLE], 2].max(1),
        "lip_over_teeth": at[:, lower[MIDDLE], 1].max(1) - edge[..., 1].min(1),
        "tongue": tip.max(1) - edge[..., 2].max(1),
        "corner_left": left[:, 1],
        "corner_right": right[:, 1],
        "brow": np.stack([at[:, points.brows[name], 1].mean(1) for name in BROWS], 1),
    }
