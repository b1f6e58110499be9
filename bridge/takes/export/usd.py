"""A take as a USD text file: the head's meshes, a skeleton, and one animation of both.

Everything stands below a SkelRoot, where usdview and Unreal's importer look for it: shapes are
BlendShape prims, and one SkelAnimation has their weights and the joints' rotations. Head and eyes
turn as joints, for below a SkelRoot a skinned mesh ignores transforms of its own. Names and layout
after the UsdSkel schemas of OpenUSD.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cstalk_bridge.heads.arkit import arkit_names, rotation_of, turning_curves
from cstalk_bridge.heads.library import chosen_head
from cstalk_bridge.heads.mesh import EYES
from cstalk_bridge.heads.reading import read_head
from cstalk_bridge.takes.export.curves import open_curve_sequence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.heads.mesh import Head, Part, Shape
    from cstalk_bridge.takes.export.curves import CurveSequence, ExportConfig
    from cstalk_bridge.takes.take import Take


MESH_NUMBER: Final = "%.7g"
"""Digits that distinguish any float32 of a mesh in metres from its neighbours."""
ROWS_AT_ONCE: Final = 4096
"""Rows which become text at once."""


def quoted(text: str) -> str:
    """Return a string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    escaped = escaped.replace("\r", "").replace("\n", "\\n")
    return f'"{"".join(c for c in escaped if c.isprintable())}"'


def tokens(names: Iterable[str]) -> str:
    """Return the string literals of names, as the content of an array."""
    return ", ".join(map(quoted, names))


def identifiers(names: Sequence[str], taken: Iterable[str] = ()) -> list[str]:
    """Return a prim's name for each name: letters, digits and `_`, all different, none `taken`."""
    used = set(taken)
    found = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name) or "_"
        plain = f"_{plain}" if plain[0].isdigit() else plain
        unique, number = plain, 1
        while unique in used:
            number += 1
            unique = f"{plain}_{number}"
        used.add(unique)
        found.append(unique)
    return found


def array(values: NDArray[Any], element: str) -> Iterator[str]:
    """Yield the content of an array, [n, width], each row as `element` with its `%` places."""
    for first in range(0, len(values), ROWS_AT_ONCE):
        rows = values[first : first + ROWS_AT_ONCE]
        text = ", ".join([element] * len(rows)) % tuple(rows.ravel().tolist())
        yield text if first == 0 else f", {text}"


def vectors(values: NDArray[Any]) -> Iterator[str]:
    """Yield the content of an array of triples, [n, 3]."""
    return array(values, f"({MESH_NUMBER}, {MESH_NUMBER}, {MESH_NUMBER})")


def integers(values: NDArray[Any]) -> Iterator[str]:
    """Yield the content of an array of whole numbers, [n]."""
    return array(values.reshape(-1, 1), "%d")


def time_samples(name: str, blocks: Iterable[NDArray[Any]], row: str) -> Iterator[str]:
    """Yield an attribute with a time sample for each row of the blocks, from time code 0 on."""
    yield f"        {name}.timeSamples = {{\n"
    line = f"            %d: [{row}],\n"
    number = 0
    for block in blocks:
        rows = enumerate(block.tolist(), start=number)
        yield "".join([line % (place, *values) for place, values in rows])
        number += len(block)
    yield "        }\n"


SKELETON: Final = "skeleton"
ANIMATION: Final = "performance"
ROOT_JOINT: Final = "head"

_VERTEX: Final = ' (\n            interpolation = "vertex"\n        )'
_MOVED_M: Final = 1e-7
"""A shape leaves out what it moves by less than a ten-thousandth of a millimetre."""


def shape_names(head: Head) -> list[str]:
    """Return the ARKit names which move something of a head, in their order."""
    moving = {name for part in head.parts for name in part.shapes}
    return [name for name in arkit_names() if name in moving]


def joint_places(head: Head) -> dict[str, tuple[float, float, float]]:
    """Return the place of each joint in the head, in metres: the head's own, then its eyes'."""
    eyes = {part.name: part.pivot for part in head.parts if part.name in EYES}
    return {ROOT_JOINT: (0.0, 0.0, 0.0), **eyes}


def joint_paths(head: Head) -> list[str]:
    """Return the joints' names in USD: the eyes hang on the head."""
    return [ROOT_JOINT, *(f"{ROOT_JOINT}/{eye}" for eye in list(joint_places(head))[1:])]


def skeleton(head: Head) -> Iterator[str]:
    """Yield the Skeleton prim; at rest no joint is turned."""
    rows = "((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (%.7g, %.7g, %.7g, 1))"
    matrices = ", ".join(rows % place for place in joint_places(head).values())
    yield f"""
    def Skeleton "{SKELETON}" (
        prepend apiSchemas = ["SkelBindingAPI"]
    )
    {{
        uniform token[] joints = [{tokens(joint_paths(head))}]
        uniform matrix4d[] bindTransforms = [{matrices}]
        uniform matrix4d[] restTransforms = [{matrices}]
        rel skel:animationSource = </{ROOT_JOINT}/{ANIMATION}>
    }}
"""


def meshes(head: Head) -> Iterator[str]:
    """Yield a Mesh prim for each part, in the space of the head."""
    joints = list(joint_places(head))
    names = identifiers([part.name for part in head.parts], (SKELETON, ANIMATION))
    for name, part in zip(names, head.parts, strict=True):
        joint = joints.index(part.name) if part.name in joints else 0
        yield from _mesh(name, part, joint)


def _mesh(name: str, part: Part, joint: int) -> Iterator[str]:
    points = part.positions + np.array(part.pivot, np.float32)
    yield f"""
    def Mesh "{name}" (
        prepend apiSchemas = ["SkelBindingAPI"]
    )
    {{
        uniform token subdivisionScheme = "none"
        rel skel:skeleton = </{ROOT_JOINT}/{SKELETON}>
        int[] primvars:skel:jointIndices = [{joint}] (
            elementSize = 1
            interpolation = "constant"
        )
        float[] primvars:skel:jointWeights = [1] (
            elementSize = 1
            interpolation = "constant"
        )
        int[] faceVertexCounts = ["""
    yield from integers(np.full(len(part.triangles), 3))
    yield "]\n        int[] faceVertexIndices = ["
    yield from integers(part.triangles)
    yield "]\n"
    yield from _attribute("float3[] extent", _extent(points))
    yield from _attribute("point3f[] points", points)
    yield from _attribute("normal3f[] normals", part.normals, _VERTEX)
    yield from _attribute("color3f[] primvars:displayColor", part.colours, _VERTEX)
    shapes = {shape: part.shapes[shape] for shape in sorted(part.shapes)}
    if shapes:
        targets = ", ".join(f"</{ROOT_JOINT}/{name}/{shape}>" for shape in shapes)
        yield f"        uniform token[] skel:blendShapes = [{tokens(shapes)}]\n"
        yield f"        rel skel:blendShapeTargets = [{targets}]\n"
    for shape_name, shape in shapes.items():
        yield from _blend_shape(shape_name, shape)
    yield "    }\n"


def _blend_shape(name: str, shape: Shape) -> Iterator[str]:
    moved = np.flatnonzero((np.abs(shape.positions) > _MOVED_M).any(axis=1))
    yield f'\n        def BlendShape "{name}"\n        {{\n'
    for attribute, values in (("offsets", shape.positions), ("normalOffsets", shape.normals)):
        yield f"            uniform vector3f[] {attribute} = ["
        yield from vectors(values[moved])
        yield "]\n"
    yield "            uniform int[] pointIndices = ["
    yield from integers(moved)
    yield "]\n        }\n"


def _attribute(name: str, values: NDArray[np.float32], metadata: str = "") -> Iterator[str]:
    yield f"        {name} = ["
    yield from vectors(values)
    yield f"]{metadata}\n"


def _extent(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the lowest and the highest corner, [2, 3]."""
    if not len(points):
        return np.zeros((2, 3), np.float32)
    return np.stack([points.min(axis=0), points.max(axis=0)])


WEIGHT_NUMBER: Final = "%.6g"
"""Six digits: a weight reads back within 5e-7."""
QUATERNION: Final = "(%.7g, %.7g, %.7g, %.7g)"
REAL_FIRST: Final = [3, 0, 1, 2]
"""USD writes a quaternion w, x, y, z."""


def write_usd(take: Take, settings: ExportConfig) -> Iterator[bytes]:
    """Yield a `.usda` file, piece by piece. UserError where the head cannot be used.

    Time code 0 is the take's first frame, `timeCodesPerSecond` its rate; lengths are metres.
    """
    head = read_head(chosen_head(settings.head))
    with open_curve_sequence(take, settings) as sequence:
        yield _header(head, sequence, take).encode()
        for prims in (skeleton(head), _animation(head, sequence), meshes(head)):
            for text in prims:
                yield text.encode()
        yield b"}\n"


def _header(head: Head, sequence: CurveSequence, take: Take) -> str:
    return f"""#usda 1.0
(
    defaultPrim = "{ROOT_JOINT}"
    doc = {quoted(head.licence)}
    customLayerData = {{
        string take = {quoted(take.name)}
        string frameRate = {quoted(sequence.rate.name)}
    }}
    startTimeCode = 0
    endTimeCode = {max(sequence.rows - 1, 0)}
    timeCodesPerSecond = {sequence.rate.hz!r}
    framesPerSecond = {sequence.rate.hz!r}
    metersPerUnit = 1
    upAxis = "Y"
)

def SkelRoot "{ROOT_JOINT}"
{{"""


def _animation(head: Head, sequence: CurveSequence) -> Iterator[str]:
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
    if any(sequence.moved[turning_curves(joint)].any() for joint in joints):
        rotations = (_rotations(list(joints), curves) for curves in sequence.blocks())
        yield from time_samples(
            "quatf[] rotations", rotations, ", ".join([QUATERNION] * len(joints))
        )
    else:
        yield f"        quatf[] rotations = [{', '.join(['(1, 0, 0, 0)'] * len(joints))}]\n"
    if sequence.rows:
        weights = (curves[:, columns] for curves in sequence.blocks())
        row = ", ".join([WEIGHT_NUMBER] * len(names))
        yield from time_samples("float[] blendShapeWeights", weights, row)
    else:
        yield f"        float[] blendShapeWeights = [{', '.join('0' * len(names))}]\n"
    yield "    }\n"


def _rotations(joints: list[str], curves: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the rotations of all joints side by side, [time, 4 * joints]."""
    return np.hstack([rotation_of(joint, curves)[:, REAL_FIRST] for joint in joints])
