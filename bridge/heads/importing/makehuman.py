"""A head from the base mesh of MakeHuman and targets with ARKit names.

Layout: `data/3dobjs/base.obj` in decimetres, whose faces stand in groups: `body`, and helpers for
eyes, teeth and tongue. A target is text, one line `point dx dy dz` for each point which it moves;
`#` begins a comment. The base alone is a figure between all ages and sexes, so that, where they are
there, the targets of young women of three regions are added first. TalkingHead's ARKit targets are
an archive of such files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bridge.heads.importing.build import EYES_TO_JOINT_M, Sculpture, sphere_centre
from bridge.heads.importing.notices import MAKEHUMAN, TALKING_HEAD
from bridge.heads.importing.obj import Obj, parse_obj
from bridge.heads.importing.source import damaged, numbers, read_archive, read_source
from bridge.heads.mesh import EYES, Head
from bridge.heads.names import arkit_name
from bridge.heads.palette import TONGUE, TOOTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

METRES = 0.1
BASE = "3dobjs/base.obj"
DATA_FOLDERS = ("", "data", "makehuman/data", "src/mpfb/data")
"""Where the data lies in a checkout of MakeHuman or MPFB."""
ARCHIVE = "talkinghead-targets.zip"
ARCHIVE_FOLDERS = ("", "blender/MPFB")
SUFFIXES = (".target", ".target.gz")
PEOPLE = {"caucasian": 0.4, "asian": 0.3, "african": 0.3}
"""Shares of the macro targets that make a person of the base."""

BODY, TONGUES, TEETH = "body", ("helper-tongue",), ("helper-upper-teeth", "helper-lower-teeth")
EYEBALLS = ("helper-l-eye", "helper-r-eye")
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
    data = [folder / below for folder in folders for below in DATA_FOLDERS]
    bases = [
        *(path for path in paths if path.name == Path(BASE).name),
        *(folder / BASE for folder in data),
        *(folder / "base.obj" for folder in folders),
    ]
    archives = [
        *(path for path in paths if path.suffix == ".zip"),
        *(folder / below / ARCHIVE for folder in folders for below in ARCHIVE_FOLDERS),
    ]
    targets = [path for path in paths if path.name.endswith(SUFFIXES)]
    for folder in folders:
        targets += sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))
    targets = [path for path in targets if arkit_name(_stem(path.name))]
    macros = []
    for people, share in PEOPLE.items():
        places = [
            folder / "targets/macrodetails" / f"{people}-female-young{suffix}"
            for folder in data
            for suffix in SUFFIXES
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
        raise damaged(str(files.base), error) from None
    points = mesh.points.copy()
    for path, share in files.macros:
        points += share * _target(str(path), read_source(path), len(points))
    shapes: dict[str, Doubles] = {}
    for where, name, content in _sources(files):
        shapes[name] = METRES * _target(where, content, len(points))
    try:
        return _head(mesh, points * METRES, shapes, notice(files))
    except ValueError as error:
        raise damaged(str(files.base), error) from None


def notice(files: MakeHumanFiles) -> str:
    """Return the notice that travels with the head."""
    return f"{MAKEHUMAN}\n\n{TALKING_HEAD}" if files.archive else MAKEHUMAN


def _head(mesh: Obj, points: Doubles, shapes: dict[str, Doubles], licence: str) -> Head:
    centres = {name: sphere_centre(points[np.unique(mesh.named([name]))]) for name in EYEBALLS}
    between = np.mean(list(centres.values()), axis=0)
    body = mesh.named([BODY])
    kept = body[(points[body][..., 1] > between[1] - NECK_M).all(axis=1)]
    sculpture = Sculpture(points - (between + EYES_TO_JOINT_M), shapes)
    left_first = sorted(EYEBALLS, key=lambda name: -centres[name][0])
    parts = (
        sculpture.part("skin", kept, sculpture.skin()),
        sculpture.part("tongue", mesh.named(TONGUES), TONGUE, roughness=0.4),
        sculpture.part("teeth", mesh.named(TEETH), TOOTH, roughness=0.3),
        *(
            sculpture.eye(eye, mesh.named([name]))
            for eye, name in zip(EYES, left_first, strict=True)
        ),
    )
    return Head("MakeHuman", parts, licence)


def _sources(files: MakeHumanFiles) -> Iterator[tuple[str, str, bytes]]:
    """Yield where each ARKit target stands, its ARKit name and its content."""
    if files.archive:
        for member, content in read_archive(files.archive, SUFFIXES[0]):
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
        rows = numbers(lines, 4)
        places = rows[:, 0].astype(np.int64)
        if len(places) and not 0 <= places.min() <= places.max() < points:
            raise ValueError(f"it moves point {places.max()}, there are {points}")  # noqa: TRY301
    except ValueError as error:
        raise damaged(where, error) from None
    moved = np.zeros((points, 3))
    moved[places] = rows[:, 1:]
    return moved
