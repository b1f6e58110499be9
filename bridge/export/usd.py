"""A take as a USD text file: the head's meshes, a skeleton, and one animation of both.

Everything stands below a SkelRoot, where usdview and Unreal's importer look for it: shapes are
BlendShape prims, and one SkelAnimation has their weights and the joints' rotations. Head and eyes
turn as joints, for below a SkelRoot a skinned mesh ignores transforms of its own. Names and layout
after the UsdSkel schemas of OpenUSD.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from bridge.export.course import open_course
from bridge.export.usd_head import (
    ANIMATION,
    ROOT_JOINT,
    joint_paths,
    joint_places,
    meshes,
    shape_names,
    skeleton,
)
from bridge.export.usd_text import quoted, samples, tokens, vectors
from bridge.heads.library import chosen_head
from bridge.heads.motion import turn_of, turned_by
from bridge.heads.names import arkit_names
from bridge.heads.parts import read_head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bridge.export.course import Course
    from bridge.export.formats import ExportSettings
    from bridge.heads.mesh import Head
    from bridge.takes.take import Take

WEIGHT: Final = "%.6g"
"""Six digits: a weight reads back within 5e-7."""
QUATERNION: Final = "(%.7g, %.7g, %.7g, %.7g)"
REAL_FIRST: Final = [3, 0, 1, 2]
"""USD writes a quaternion w, x, y, z."""


def write_usd(take: Take, settings: ExportSettings) -> Iterator[bytes]:
    """Yield a `.usda` file, piece by piece. UserError where the head cannot be used.

    Time code 0 is the take's first frame, `timeCodesPerSecond` its rate; lengths are metres.
    """
    head = read_head(chosen_head(settings.head))
    with open_course(take, settings) as course:
        yield _header(head, course, take).encode()
        for prims in (skeleton(head), _animation(head, course), meshes(head)):
            for text in prims:
                yield text.encode()
        yield b"}\n"


def _header(head: Head, course: Course, take: Take) -> str:
    return f"""#usda 1.0
(
    defaultPrim = "{ROOT_JOINT}"
    doc = {quoted(head.licence)}
    customLayerData = {{
        string take = {quoted(take.name)}
        string frameRate = {quoted(course.rate.name)}
    }}
    startTimeCode = 0
    endTimeCode = {max(course.rows - 1, 0)}
    timeCodesPerSecond = {course.rate.hz!r}
    framesPerSecond = {course.rate.hz!r}
    metersPerUnit = 1
    upAxis = "Y"
)

def SkelRoot "{ROOT_JOINT}"
{{"""


def _animation(head: Head, course: Course) -> Iterator[str]:
    names = shape_names(head)
    columns = [arkit_names().index(name) for name in names]
    joints = joint_places(head)
    yield f"""
    def SkelAnimation "{ANIMATION}"
    {{
        uniform token[] joints = [{tokens(joint_paths(head))}]
        float3[] translations = [{"".join(vectors(np.array(list(joints.values()))))}]
        half3[] scales = [{", ".join(["(1, 1, 1)"] * len(joints))}]
        uniform token[] blendShapes = [{tokens(names)}]
"""
    if any(course.moved[turned_by(joint)].any() for joint in joints):
        rotations = (_rotations(list(joints), curves) for curves in course.blocks())
        yield from samples("quatf[] rotations", rotations, ", ".join([QUATERNION] * len(joints)))
    else:
        yield f"        quatf[] rotations = [{', '.join(['(1, 0, 0, 0)'] * len(joints))}]\n"
    if course.rows:
        weights = (curves[:, columns] for curves in course.blocks())
        row = ", ".join([WEIGHT] * len(names))
        yield from samples("float[] blendShapeWeights", weights, row)
    else:
        yield f"        float[] blendShapeWeights = [{', '.join('0' * len(names))}]\n"
    yield "    }\n"


def _rotations(joints: list[str], curves: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the rotations of all joints side by side, [time, 4 * joints]."""
    return np.hstack([turn_of(joint, curves)[:, REAL_FIRST] for joint in joints])
