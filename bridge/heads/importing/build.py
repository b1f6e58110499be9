"""Parts of a head from the points, shapes and faces of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bridge.heads.mesh import Part, Shape
from bridge.heads.normals import vertex_normals
from bridge.heads.palette import IRIS, LIP, PUPIL, SCLERA, SKIN
from bridge.heads.sculpt.landmarks import smooth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]
    Triangles = NDArray[np.int64]

EYES_TO_JOINT_M = np.array([0.0, -0.068, -0.0815])
"""From between the eyes to the joint of skull and neck, as on our own head."""
PUPIL_DEG, IRIS_DEG = 9.0, 24.0
"""What one sees of them, as angles from the gaze."""

_MOVED_M = 1e-6
_LIP_START, _LIP_FULL = 0.35, 0.8
"""Shares of the farthest point which the lips' rolling moves: there the red begins, and is full."""


@dataclass(frozen=True, slots=True, eq=False)
class Sculpture:
    """All points of a data set in metres, [points, 3], and what its shapes add to them."""

    points: Doubles
    shapes: Mapping[str, Doubles]

    def part(
        self, name: str, triangles: Triangles, colours: Doubles, *, roughness: float = 0.6
    ) -> Part:
        """Return the part of some faces; `colours` are [3] or [points, 3]."""
        return self._part(name, triangles, colours, np.zeros(3), self.shapes, roughness)

    def eye(self, name: str, triangles: Triangles) -> Part:
        """Return an eyeball about its own centre, painted; it turns and has no shapes."""
        centre = sphere_centre(self.points[np.unique(triangles)])
        gaze = self.points - centre
        length = np.maximum(np.linalg.norm(gaze, axis=1), 1e-12)
        angle = np.degrees(np.arccos(np.clip(gaze[:, 2] / length, -1.0, 1.0)))[:, None]
        colours = np.where(angle < PUPIL_DEG, PUPIL, np.where(angle < IRIS_DEG, IRIS, SCLERA))
        return self._part(name, triangles, colours, centre, {}, roughness=0.25)

    def skin(self) -> Doubles:
        """Return the colour of every point as skin; what rolling the lips moves is red."""
        rolls = [
            self.shapes[f"mouthRoll{lip}"]
            for lip in ("Lower", "Upper")
            if f"mouthRoll{lip}" in self.shapes
        ]
        moved = sum((np.linalg.norm(roll, axis=1) for roll in rolls), np.zeros(len(self.points)))
        share = moved / max(float(moved.max(initial=0.0)), _MOVED_M)
        red = 0.6 * smooth(share, _LIP_START, _LIP_FULL)[:, None]
        return np.asarray(SKIN + red * (LIP - SKIN))

    def _part(
        self,
        name: str,
        triangles: Triangles,
        colours: Doubles,
        pivot: Doubles,
        shapes: Mapping[str, Doubles],
        roughness: float,
    ) -> Part:
        used, flat = np.unique(triangles, return_inverse=True)
        faces = flat.reshape(-1, 3).astype(np.int32)
        points = self.points[used] - pivot
        normals = vertex_normals(points, faces)
        moving = {}
        for shape, deltas in shapes.items():
            delta = deltas[used]
            if np.abs(delta).max(initial=0.0) > _MOVED_M:
                turned = vertex_normals(points + delta, faces) - normals
                moving[shape] = Shape(delta.astype(np.float32), turned)
        painted = np.broadcast_to(colours, self.points.shape)[used].astype(np.float32)
        place = (float(pivot[0]), float(pivot[1]), float(pivot[2]))
        at = points.astype(np.float32)
        return Part(name, at, normals, faces, painted, moving, place, roughness)


def sphere_centre(points: Doubles) -> Doubles:
    """Return the centre of the sphere through the rear half of points, [points, 3] -> [3].

    The least-squares sphere; the front half is left out because of the cornea's bulge.
    """
    rear = points[points[:, 2] <= (points[:, 2].min() + points[:, 2].max()) / 2]
    system = np.hstack([2.0 * rear, np.ones((len(rear), 1))])
    solution = np.linalg.lstsq(system, (rear**2).sum(axis=1), rcond=None)[0]
    return np.asarray(solution[:3])
