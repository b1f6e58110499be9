"""Meshes of a data set: text and archives read within bounds, Wavefront OBJ, and parts of a head
made from them.
"""

from __future__ import annotations

import gzip
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from cstalk_bridge.heads.mesh import (
    IRIS,
    LIP,
    PUPIL,
    SCLERA,
    SKIN,
    Part,
    Shape,
    smoothstep,
    vertex_normals,
)
from cstalk_bridge.models.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

    Triangles = NDArray[np.int64]


MAX_FILE_BYTES = 32 << 20
"""Size of one file, unpacked; the largest mesh of the data sets has 3.4 MB."""
MAX_DIGITS = 32
"""Characters of one number; the longest known one has 19."""
MAX_MEMBERS = 1000
"""Files of one archive; the known one has 67."""


def read_source(path: Path) -> bytes:
    """Return a file's content, that of a `.gz` unpacked. UserError: unreadable, or too large."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, EOFError) as error:
        raise UserError(Problem(str(path), f"cannot be read: {error}")) from None
    if len(content) > MAX_FILE_BYTES:
        raise UserError(Problem(str(path), f"larger than {MAX_FILE_BYTES >> 20} MB"))
    return content


def read_archive(path: Path, suffix: str) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of an archive's files with a suffix. UserError as of `read_source`."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.infolist() if each.filename.endswith(suffix)]
            if len(members) > MAX_MEMBERS:
                what = f"{len(members)} files in it, more than {MAX_MEMBERS}"
                raise UserError(Problem(str(path), what))
            for member in members:
                with archive.open(member) as file:
                    content = file.read(MAX_FILE_BYTES + 1)
                if len(content) > MAX_FILE_BYTES:
                    what = f"{member.filename[:80]} is larger than {MAX_FILE_BYTES >> 20} MB"
                    raise UserError(Problem(str(path), what))
                yield member.filename, content
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise UserError(Problem(str(path), f"cannot be unpacked: {error}")) from None


def parse_numbers(lines: Iterable[bytes], width: int) -> Doubles:
    """Return lines of numbers, float64 [lines, width].

    ValueError where a line has another count, or something that is no finite number.
    """
    fields = [line.split() for line in lines]
    for each in fields:
        if len(each) != width:
            raise ValueError(f"{len(each)} instead of {width} numbers in one line")
    if any(len(word) > MAX_DIGITS for each in fields for word in each):
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    text: NDArray[Any] = np.array(fields, dtype=f"S{MAX_DIGITS}")
    values = text.reshape(-1, width).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("a number is not finite")
    return values


def damaged_source(where: str, error: ValueError) -> UserError:
    """Return the error of a file with invalid content."""
    return UserError(Problem(where, f"cannot be read: {error}", "download it again"))


@dataclass(frozen=True, slots=True, eq=False)
class Obj:
    """`points` are float64 [points, 3]; `triangles` int64 [triangles, 3] by name."""

    points: NDArray[np.float64]
    triangles: dict[str, NDArray[np.int64]]

    def named(self, names: Iterable[str]) -> NDArray[np.int64]:
        """Return the triangles under some names; ValueError lists the names which are missing."""
        names = list(names)
        if missing := [name for name in names if name not in self.triangles]:
            raise ValueError(f"no faces under {', '.join(missing)}")
        return np.concatenate([self.triangles[name] for name in names])


def parse_points(content: bytes) -> NDArray[np.float64]:
    """Return the points of a file, float64 [points, 3]; ValueError for what is no number."""
    lines = content.split(b"\nvt ", 1)[0].splitlines()
    return parse_numbers((line[2:] for line in lines if line.startswith(b"v ")), 3)


def parse_obj(content: bytes, naming: str) -> Obj:
    """Return a mesh; `naming` is what separates faces, `usemtl` (materials) or `g` (groups).

    A face of more than three corners becomes a fan. ValueError for what is not as it should be.
    """
    points = parse_points(content)
    keyword = f"{naming} ".encode()
    name = ""
    corners: dict[str, list[int]] = {}
    for line in content.splitlines():
        if line.startswith(b"f "):
            face = [int(corner.split(b"/", 1)[0]) - 1 for corner in line[2:].split()]
            flat = corners.setdefault(name, [])
            for second, third in pairwise(face[1:]):
                flat += (face[0], second, third)
        elif line.startswith(keyword):
            name = line[len(keyword) :].strip().decode("utf-8", "replace")
    triangles = {each: np.array(flat, np.int64).reshape(-1, 3) for each, flat in corners.items()}
    for each, group in triangles.items():
        if group.size and not 0 <= group.min() <= group.max() < len(points):
            raise ValueError(f"a face of `{each[:60]}` is not of the {len(points)} points")
    return Obj(points, triangles)


EYES_TO_JOINT_M = np.array([0.0, -0.068, -0.0815])
"""From between the eyes to the joint of skull and neck, as on our own head."""
PUPIL_DEG, IRIS_DEG = 9.0, 24.0
"""What one sees of them, as angles from the gaze."""

_MOVED_M = 1e-6
_LIP_START, _LIP_FULL = 0.35, 0.8
"""Shares of the farthest point which the lips' rolling moves: there the red begins, and is full."""


@dataclass(frozen=True, slots=True, eq=False)
class MorphMesh:
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
        red = 0.6 * smoothstep(share, _LIP_START, _LIP_FULL)[:, None]
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
