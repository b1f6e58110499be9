"""Imports heads from data sets that users install: ICT-FaceKit, and MakeHuman with ARKit targets.

ICT-FaceKit, after the data set's README: `FaceXModel/generic_neutral_mesh.obj` and one OBJ per
shape in the same order of points, in centimetres. Faces are separated by their material. ARKit
shapes end in `_L` and `_R`; two which ARKit has once, as `browInnerUp`, are split and become one
again. The shells over the eyes and the lashes, which need transparent textures, are left out.

MakeHuman: `data/3dobjs/base.obj` in decimetres, whose faces are in groups: `body`, and helpers
for eyes, teeth and tongue. A target is text, one line `point dx dy dz` for each point which it
moves; `#` begins a comment. The base alone is a figure between all ages and sexes, so that,
where they exist, the targets of young women of three regions are added first. TalkingHead's
ARKit targets are an archive of such files.
"""

from __future__ import annotations

import gzip
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cstalk_bridge.heads.mesh import (
    EYES,
    IRIS,
    LIP,
    MOUTH_DEEP,
    PUPIL,
    SCLERA,
    SKIN,
    TONGUE,
    TOOTH,
    Head,
    Part,
    Shape,
    arkit_name,
    smoothstep,
    vertex_normals,
)
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.system.files import is_there

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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


MIT_TEXT = """\
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and \
associated documentation files (the "Software"), to deal in the Software without restriction, \
including without limitation the rights to use, copy, modify, merge, publish, distribute, \
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is \
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or \
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT \
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND \
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, \
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT \
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."""

ICT_NOTICE = f"""\
Head: ICT-FaceKit, Copyright (c) 2020 USC Institute for Creative Technologies. MIT License.

{MIT_TEXT}"""

MAKEHUMAN_NOTICE = "Meshes and body targets: MakeHuman, released under CC0 1.0 by its makers."

TALKING_HEAD_NOTICE = f"""\
ARKit targets: TalkingHead, Copyright (c) 2023-2024 Mika Suominen. MIT License.

{MIT_TEXT}"""


ICT_FOLDER, ICT_NEUTRAL = "FaceXModel", "generic_neutral_mesh.obj"
ICT_UNIT_M = 0.01
ICT_SKIN = ("M_Face", "M_BackHead")
ICT_MOUTH, ICT_TEETH = ("M_GumsTongue",), ("M_Teeth",)
ICT_SCLERAS = ("M_ScleraLeft", "M_ScleraRight")

ICT_POINTS = 26719
ICT_MOUTH_SOCKET = slice(11248, 13294)
"""The points of the mouth's inside, in the mesh of `POINTS`."""


def find_ict(paths: Sequence[Path]) -> Path | None:
    """Return the folder of the meshes, or None."""
    folders = [folder for path in paths for folder in (path, path / ICT_FOLDER)]
    return next((folder for folder in folders if (folder / ICT_NEUTRAL).is_file()), None)


def read_ict(folder: Path) -> Head:
    """Return the head. UserError where the neutral mesh or a shape is damaged."""
    neutral = folder / ICT_NEUTRAL
    try:
        mesh = parse_obj(read_source(neutral), "usemtl")
        eyes = [sphere_centre(mesh.points[np.unique(mesh.named([name]))]) for name in ICT_SCLERAS]
        origin = np.mean(eyes, axis=0) * ICT_UNIT_M + EYES_TO_JOINT_M
        shapes = _ict_shapes(folder, mesh.points)
        return _ict_head(mesh, MorphMesh(mesh.points * ICT_UNIT_M - origin, shapes))
    except ValueError as error:
        raise damaged_source(str(neutral), error) from None


def _ict_head(mesh: Obj, sculpture: MorphMesh) -> Head:
    skin = sculpture.skin()
    if len(skin) == ICT_POINTS:
        skin[ICT_MOUTH_SOCKET] = MOUTH_DEEP
    left_first = sorted(ICT_SCLERAS, key=lambda name: -_middle_x(mesh, name))
    parts = (
        sculpture.part("skin", mesh.named(ICT_SKIN), skin),
        sculpture.part("mouthInside", mesh.named(ICT_MOUTH), TONGUE, roughness=0.4),
        sculpture.part("teeth", mesh.named(ICT_TEETH), TOOTH, roughness=0.3),
        *(
            sculpture.eye(eye, mesh.named([name]))
            for eye, name in zip(EYES, left_first, strict=True)
        ),
    )
    return Head("ICT-FaceKit", parts, ICT_NOTICE)


def _middle_x(mesh: Obj, name: str) -> float:
    return float(mesh.points[mesh.named([name])][..., 0].mean())


def _ict_shapes(folder: Path, neutral: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return what each ARKit shape adds, in metres."""
    shapes: dict[str, NDArray[np.float64]] = {}
    for path in sorted(folder.glob("*.obj")):
        name = arkit_name(path.stem) or arkit_name(path.stem.removesuffix("_L").removesuffix("_R"))
        if name is None:
            continue
        try:
            points = parse_points(read_source(path))
        except ValueError as error:
            raise damaged_source(str(path), error) from None
        if points.shape != neutral.shape:
            wrong = ValueError(f"{len(points)} points instead of {len(neutral)}")
            raise damaged_source(str(path), wrong)
        shapes[name] = shapes.get(name, 0.0) + (points - neutral) * ICT_UNIT_M
    return shapes


MAKEHUMAN_UNIT_M = 0.1
MAKEHUMAN_BASE = "3dobjs/base.obj"
MAKEHUMAN_FOLDERS = ("", "data", "makehuman/data", "src/mpfb/data")
"""Where the data lies in a checkout of MakeHuman or MPFB."""
ARCHIVE = "talkinghead-targets.zip"
ARCHIVE_FOLDERS = ("", "blender/MPFB")
TARGET_SUFFIXES = (".target", ".target.gz")
MACRO_WEIGHTS = {"caucasian": 0.4, "asian": 0.3, "african": 0.3}
"""Shares of the macro targets that make a person of the base."""

MAKEHUMAN_BODY, MAKEHUMAN_TONGUE, MAKEHUMAN_TEETH = (
    "body",
    ("helper-tongue",),
    ("helper-upper-teeth", "helper-lower-teeth"),
)
MAKEHUMAN_EYEBALLS = ("helper-l-eye", "helper-r-eye")
NECK_M = 0.19
"""The body is cut this far below the eyes."""


@dataclass(frozen=True, slots=True)
class MakeHumanFiles:
    """The mesh, an archive of ARKit targets or files of them, and the macro targets by share."""

    base: Path
    archive: Path | None
    targets: tuple[Path, ...]
    macros: tuple[tuple[Path, float], ...]


def find_makehuman(paths: Sequence[Path]) -> MakeHumanFiles | None:
    """Return the files of a head among files and folders; None without mesh or ARKit targets."""
    folders = [path for path in paths if path.is_dir()]
    data = [folder / below for folder in folders for below in MAKEHUMAN_FOLDERS]
    bases = [
        *(path for path in paths if path.name == Path(MAKEHUMAN_BASE).name),
        *(folder / MAKEHUMAN_BASE for folder in data),
        *(folder / "base.obj" for folder in folders),
    ]
    archives = [
        *(path for path in paths if path.suffix == ".zip"),
        *(folder / below / ARCHIVE for folder in folders for below in ARCHIVE_FOLDERS),
    ]
    targets = [path for path in paths if path.name.endswith(TARGET_SUFFIXES)]
    for folder in folders:
        targets += sorted(path for path in folder.iterdir() if path.name.endswith(TARGET_SUFFIXES))
    targets = [path for path in targets if arkit_name(_stem(path.name))]
    macros = []
    for people, share in MACRO_WEIGHTS.items():
        places = [
            folder / "targets/macrodetails" / f"{people}-female-young{suffix}"
            for folder in data
            for suffix in TARGET_SUFFIXES
        ]
        macros += [(path, share) for path in places if path.is_file()][:1]
    base = next((path for path in bases if path.is_file()), None)
    archive = next((path for path in archives if path.is_file()), None)
    if base is None or not (archive or targets):
        return None
    return MakeHumanFiles(base, archive, tuple(targets), tuple(macros))


def read_makehuman(files: MakeHumanFiles) -> Head:
    """Return the head, cut from the body. UserError where a file is damaged."""
    try:
        mesh = parse_obj(read_source(files.base), "g")
    except ValueError as error:
        raise damaged_source(str(files.base), error) from None
    points = mesh.points.copy()
    for path, share in files.macros:
        points += share * _target(str(path), read_source(path), len(points))
    shapes: dict[str, Doubles] = {}
    for where, name, content in _sources(files):
        shapes[name] = MAKEHUMAN_UNIT_M * _target(where, content, len(points))
    try:
        return _makehuman_head(mesh, points * MAKEHUMAN_UNIT_M, shapes, makehuman_notice(files))
    except ValueError as error:
        raise damaged_source(str(files.base), error) from None


def makehuman_notice(files: MakeHumanFiles) -> str:
    """Return the notice that travels with the head."""
    return f"{MAKEHUMAN_NOTICE}\n\n{TALKING_HEAD_NOTICE}" if files.archive else MAKEHUMAN_NOTICE


def _makehuman_head(mesh: Obj, points: Doubles, shapes: dict[str, Doubles], licence: str) -> Head:
    centres = {
        name: sphere_centre(points[np.unique(mesh.named([name]))]) for name in MAKEHUMAN_EYEBALLS
    }
    between = np.mean(list(centres.values()), axis=0)
    body = mesh.named([MAKEHUMAN_BODY])
    kept = body[(points[body][..., 1] > between[1] - NECK_M).all(axis=1)]
    sculpture = MorphMesh(points - (between + EYES_TO_JOINT_M), shapes)
    left_first = sorted(MAKEHUMAN_EYEBALLS, key=lambda name: -centres[name][0])
    parts = (
        sculpture.part("skin", kept, sculpture.skin()),
        sculpture.part("tongue", mesh.named(MAKEHUMAN_TONGUE), TONGUE, roughness=0.4),
        sculpture.part("teeth", mesh.named(MAKEHUMAN_TEETH), TOOTH, roughness=0.3),
        *(
            sculpture.eye(eye, mesh.named([name]))
            for eye, name in zip(EYES, left_first, strict=True)
        ),
    )
    return Head("MakeHuman", parts, licence)


def _sources(files: MakeHumanFiles) -> Iterator[tuple[str, str, bytes]]:
    """Yield where each ARKit target stands, its ARKit name and its content."""
    if files.archive:
        for member, content in read_archive(files.archive, TARGET_SUFFIXES[0]):
            if name := arkit_name(_stem(member.rpartition("/")[2])):
                yield f"{files.archive}: {member}", name, content
    for path in files.targets:
        if name := arkit_name(_stem(path.name)):
            yield str(path), name, read_source(path)


def _stem(name: str) -> str:
    return name.removesuffix(".gz").removesuffix(".target")


def _target(where: str, content: bytes, points: int) -> Doubles:
    """Return what a target adds to each point, [points, 3], in the mesh's own unit."""
    try:
        lines = (line for line in content.splitlines() if line.strip() and line[:1] != b"#")
        rows = parse_numbers(lines, 4)
        places = rows[:, 0].astype(np.int64)
        if len(places) and not 0 <= places.min() <= places.max() < points:
            raise ValueError(f"it moves point {places.max()}, there are {points}")  # noqa: TRY301
    except ValueError as error:
        raise damaged_source(where, error) from None
    moved = np.zeros((points, 3))
    moved[places] = rows[:, 1:]
    return moved


def import_head(paths: Sequence[Path]) -> Head:
    """Return the head that lies in some folders and files.

    UserError where there is neither an ICT-FaceKit checkout nor MakeHuman data with ARKit targets,
    or where a file of it is damaged.
    """
    missing = [path for path in paths if not is_there(path)]
    if missing:
        raise UserError.of(Problem(str(path), "no such file or folder") for path in missing)
    if folder := find_ict(paths):
        return read_ict(folder)
    if files := find_makehuman(paths):
        return read_makehuman(files)
    remedy = (
        "name a checkout of ICT-FaceKit, or one of MakeHuman together with "
        "blender/MPFB/talkinghead-targets.zip of met4citizen/TalkingHead"
    )
    raise UserError(
        Problem(", ".join(map(str, paths)), "holds no head that can be imported", remedy)
    )
