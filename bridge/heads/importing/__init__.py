"""Heads made of other people's data, which stays with the user: ICT-FaceKit, MakeHuman."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import Problem, UserError
from bridge.heads.importing.ict import find_ict, read_ict
from bridge.heads.importing.makehuman import find_makehuman, read_makehuman
from bridge.paths import is_there

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bridge.heads.mesh import Head

__all__ = ["import_sources"]


def import_sources(paths: Sequence[Path]) -> Head:
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
    raise UserError(Problem(", ".join(map(str, paths)), "no head to import here", remedy))
