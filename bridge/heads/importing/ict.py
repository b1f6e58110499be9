"""A head from a checkout of ICT-FaceKit.

Layout, after the data set's README: `FaceXModel/generic_neutral_mesh.obj` and one OBJ per shape in
the same order of points, in centimetres. Faces are told apart by their material. ARKit shapes end
in `_L` and `_R`; two which ARKit has once, as `browInnerUp`, are split and become one again.
Left out are the shells over the eyes and the lashes, which need transparent textures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.heads.importing.build import EYES_TO_JOINT_M, Sculpture, sphere_centre
from bridge.heads.importing.notices import ICT
from bridge.heads.importing.obj import Obj, parse_obj, parse_points
from bridge.heads.importing.source import damaged, read_source
from bridge.heads.mesh import EYES, Head
from bridge.heads.names import arkit_name
from bridge.heads.palette import MOUTH_DEEP, TONGUE, TOOTH

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

FOLDER, NEUTRAL = "FaceXModel", "generic_neutral_mesh.obj"
METRES = 0.01
SKIN = ("M_Face", "M_BackHead")
MOUTH, TEETH = ("M_GumsTongue",), ("M_Teeth",)
SCLERAS = ("M_ScleraLeft", "M_ScleraRight")

POINTS = 26719
MOUTH_SOCKET = slice(11248, 13294)
"""The points of the mouth's inside, in the mesh of `POINTS`."""


def find_ict(paths: Sequence[Path]) -> Path | None:
    """Return the folder of the meshes, or None."""
    folders = [folder for path in paths for folder in (path, path / FOLDER)]
    return next((folder for folder in folders if (folder / NEUTRAL).is_file()), None)


def read_ict(folder: Path) -> Head:
    """Return the head. UserError where the neutral mesh or a shape is damaged."""
    neutral = folder / NEUTRAL
    try:
        mesh = parse_obj(read_source(neutral), "usemtl")
        eyes = [sphere_centre(mesh.points[np.unique(mesh.named([name]))]) for name in SCLERAS]
        origin = np.mean(eyes, axis=0) * METRES + EYES_TO_JOINT_M
        shapes = _shapes(folder, mesh.points)
        return _head(mesh, Sculpture(mesh.points * METRES - origin, shapes))
    except ValueError as error:
        raise damaged(str(neutral), error) from None


def _head(mesh: Obj, sculpture: Sculpture) -> Head:
    skin = sculpture.skin()
    if len(skin) == POINTS:
        skin[MOUTH_SOCKET] = MOUTH_DEEP
    left_first = sorted(SCLERAS, key=lambda name: -_middle_x(mesh, name))
    parts = (
        sculpture.part("skin", mesh.named(SKIN), skin),
        sculpture.part("mouthInside", mesh.named(MOUTH), TONGUE, roughness=0.4),
        sculpture.part("teeth", mesh.named(TEETH), TOOTH, roughness=0.3),
        *(
            sculpture.eye(eye, mesh.named([name]))
            for eye, name in zip(EYES, left_first, strict=True)
        ),
    )
    return Head("ICT-FaceKit", parts, ICT)


def _middle_x(mesh: Obj, name: str) -> float:
    return float(mesh.points[mesh.named([name])][..., 0].mean())


def _shapes(folder: Path, neutral: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return what each ARKit shape adds, in metres."""
    shapes: dict[str, NDArray[np.float64]] = {}
    for path in sorted(folder.glob("*.obj")):
        name = arkit_name(path.stem) or arkit_name(path.stem.removesuffix("_L").removesuffix("_R"))
        if name is None:
            continue
        try:
            points = parse_points(read_source(path))
        except ValueError as error:
            raise damaged(str(path), error) from None
        if points.shape != neutral.shape:
            wrong = ValueError(f"{len(points)} points instead of {len(neutral)}")
            raise damaged(str(path), wrong)
        shapes[name] = shapes.get(name, 0.0) + (points - neutral) * METRES
    return shapes
