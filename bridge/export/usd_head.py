"""A head as prims of USD's text form: a skeleton, and meshes with their blend shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from bridge.export.usd_text import identifiers, integers, tokens, vectors
from bridge.heads.mesh import EYES
from bridge.heads.names import arkit_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bridge.heads.mesh import Head, Part, Shape

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
