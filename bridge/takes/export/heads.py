"""A take as an animated head: GLB with weights of meshes and rotations of nodes, USD with a
skeleton.

GLB: the head's own file is kept as it is, its animations included; the times and the keys of each
track are appended to its binary data. After section 3.11 of the glTF 2.0 specification, a key holds
the weights of all targets of a mesh. Shapes that no curve moves stay 0.

USD: everything is below a SkelRoot, where usdview and Unreal's importer look for it. Shapes are
BlendShape prims, and one SkelAnimation has their weights and the joints' rotations. Head and eyes
turn as joints, because below a SkelRoot a skinned mesh ignores transforms of its own. Names and
layout after the UsdSkel schemas of OpenUSD.
"""

from __future__ import annotations

import copy
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cstalk_bridge.heads.glb import glb_chunks
from cstalk_bridge.heads.gltf import parent_axes, turned_nodes
from cstalk_bridge.heads.mesh import EYES, arkit_names, product, rotation_of, turning_curves
from cstalk_bridge.heads.reading import chosen_head, open_arkit_head, read_head
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.takes.export.tables import open_curve_sequence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.heads.gltf import Gltf
    from cstalk_bridge.heads.mesh import Head, Part, Shape
    from cstalk_bridge.heads.reading import HeadFile
    from cstalk_bridge.takes.export.tables import CurveSequence, ExportConfig
    from cstalk_bridge.takes.take import Take

    Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class WeightTrack:
    """The weights of a mesh in some nodes: `columns` are places in the curves, -1 for none."""

    nodes: tuple[int, ...]
    columns: NDArray[np.intp]
    path = "weights"
    type = "SCALAR"

    @property
    def width(self) -> int:
        """Numbers of a key."""
        return len(self.columns)

    def keys(self, curves: Floats) -> Floats:
        """Return the keys of some rows of the 61 curves, float32 [time, targets]."""
        keys = curves[:, self.columns]
        keys[:, self.columns < 0] = 0.0
        return keys


@dataclass(frozen=True, slots=True, eq=False)
class RotationTrack:
    """The rotation of a node from its `rest`, x, y, z, w; `axes` [3, 3] are its parent's."""

    nodes: tuple[int, ...]
    role: str
    rest: NDArray[np.float64]
    axes: NDArray[np.float64]
    width = 4
    path = "rotation"
    type = "VEC4"

    def keys(self, curves: Floats) -> Floats:
        """Return the keys of some rows of the 61 curves, float32 [time, 4]."""
        turn = rotation_of(self.role, curves)
        turn[:, :3] = turn[:, :3] @ self.axes
        return product(turn, self.rest).astype(np.float32)


Track = WeightTrack | RotationTrack


def animation_tracks(head: HeadFile, moved: NDArray[np.bool_]) -> list[Track]:
    """Return the tracks of an animation; `moved` marks the curves that are ever other than 0.

    Meshes have their weights in any case. A node that stands by a matrix is left out: glTF does not
    let it be animated.
    """
    return [*_weight_tracks(head), *_rotation_tracks(head.gltf, moved)]


def _weight_tracks(head: HeadFile) -> Iterator[WeightTrack]:
    places = {name: place for place, name in enumerate(arkit_names())}
    for mesh, names in head.shapes.targets.items():
        nodes = tuple(i for i, node in enumerate(head.gltf.nodes) if node.mesh == mesh)
        columns = np.array([-1 if name is None else places[name] for name in names])
        if nodes and (columns >= 0).any():
            yield WeightTrack(nodes, columns)


def _rotation_tracks(gltf: Gltf, moved: NDArray[np.bool_]) -> Iterator[RotationTrack]:
    for role, index in turned_nodes(gltf).items():
        node = gltf.nodes[index]
        if node.matrix is not None or not moved[turning_curves(role)].any():
            continue
        rest = np.array(node.rotation)
        rest = rest / (float(np.linalg.norm(rest)) or 1.0)
        yield RotationTrack((index,), role, rest, parent_axes(gltf, index))


GL_FLOAT: Final = 5126
FLOAT_BYTES: Final = 4
TIMES_AT_ONCE: Final = 65536
"""Times that are made at once."""


def write_glb_animation(take: Take, settings: ExportConfig) -> Iterator[bytes]:
    """Yield the head's file with the take in it, piece by piece.

    UserError where the head cannot be used, or the file would be longer than GLB allows.
    """
    head = open_arkit_head(chosen_head(settings.head))
    with open_curve_sequence(take, settings) as sequence:
        animation = _Animation(head, sequence, animation_tracks(head, sequence.moved))
        try:
            yield from glb_chunks(
                animation.document(take.name), animation.pieces(), animation.binary_bytes
            )
        except OverflowError as error:
            remedy = "choose a lower frame rate, or cut the take"
            raise UserError(Problem(take.name, str(error), remedy)) from None


@dataclass(frozen=True, slots=True)
class _Animation:
    """A head, and what is added to it."""

    head: HeadFile
    sequence: CurveSequence
    tracks: list[Track]

    @property
    def start(self) -> int:
        """Where the times begin in the binary chunk."""
        return -(-len(self.head.glb.binary) // FLOAT_BYTES) * FLOAT_BYTES

    @property
    def binary_bytes(self) -> int:
        """Length of the binary chunk."""
        numbers = 1 + sum(track.width for track in self.tracks)
        return self.start + numbers * self.sequence.rows * FLOAT_BYTES

    def pieces(self) -> Iterator[bytes]:
        """Yield the binary chunk."""
        binary = self.head.glb.binary
        yield binary
        yield bytes(self.start - len(binary))
        for first in range(0, self.sequence.rows, TIMES_AT_ONCE):
            yield self._times(first, min(first + TIMES_AT_ONCE, self.sequence.rows))
        for track in self.tracks:
            for curves in self.sequence.blocks():
                yield track.keys(curves).astype("<f4").tobytes()

    def document(self, name: str) -> dict[str, Any]:
        """Return the head's document with the animation of that name added to it."""
        document = copy.deepcopy(self.head.glb.document)
        buffer = (document.get("buffers") or [{}])[0]
        document["buffers"] = [{**buffer, "byteLength": self.binary_bytes}]
        if not self.sequence.rows:
            return document
        views = document.setdefault("bufferViews", [])
        accessors = document.setdefault("accessors", [])
        offset = self.start

        def added(kind: str, width: int, **bounds: list[float]) -> int:
            nonlocal offset
            size = self.sequence.rows * width * FLOAT_BYTES
            views.append({"buffer": 0, "byteOffset": offset, "byteLength": size})
            offset += size
            count = self.sequence.rows * (width if kind == "SCALAR" else 1)
            layout = {"componentType": GL_FLOAT, "count": count, "type": kind}
            accessors.append({"bufferView": len(views) - 1, **layout, **bounds})
            return len(accessors) - 1

        last = np.frombuffer(self._times(self.sequence.rows - 1, self.sequence.rows), "<f4")
        times = added("SCALAR", 1, min=[0.0], max=[float(last[0])])
        samplers = [
            {"input": times, "output": added(track.type, track.width)} for track in self.tracks
        ]
        channels = [
            {"sampler": sampler, "target": {"node": node, "path": track.path}}
            for sampler, track in enumerate(self.tracks)
            for node in track.nodes
        ]
        animation = {"name": name, "samplers": samplers, "channels": channels}
        document.setdefault("animations", []).append(animation)
        return document

    def _times(self, first: int, end: int) -> bytes:
        times: bytes = (np.arange(first, end) / self.sequence.rate.hz).astype("<f4").tobytes()
        return times


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
    names = _material_names(head)
    for name, part in zip(names, head.parts, strict=True):
        joint = joints.index(part.name) if part.name in joints else 0
        yield from _mesh(name, part, joint)


def _mesh(name: str, part: Part, joint: int) -> Iterator[str]:
    points = part.positions + np.array(part.pivot, np.float32)
    yield f"""
    def Mesh "{name}" (
        prepend apiSchemas = ["SkelBindingAPI", "MaterialBindingAPI"]
    )
    {{
        uniform token subdivisionScheme = "none"
        rel material:binding = </{ROOT_JOINT}/{MATERIALS}/{name}>
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
        for prims in (
            skeleton(head),
            _animation(head, sequence),
            meshes(head),
            _materials(head),
            _sound(settings.sound_name, sequence),
        ):
            for text in prims:
                yield text.encode()
        yield b"}\n"


MATERIALS: Final = "materials"


def _material_names(head: Head) -> list[str]:
    return identifiers([part.name for part in head.parts], (SKELETON, ANIMATION, MATERIALS, SOUND))


def _materials(head: Head) -> Iterator[str]:
    """Yield a UsdPreviewSurface for each part, which reads the colours of its vertices."""
    yield f'\n    def Scope "{MATERIALS}"\n    {{\n'
    for name, part in zip(_material_names(head), head.parts, strict=True):
        place = f"/{ROOT_JOINT}/{MATERIALS}/{name}"
        yield f"""        def Material "{name}"
        {{
            token outputs:surface.connect = <{place}/surface.outputs:surface>

            def Shader "surface"
            {{
                uniform token info:id = "UsdPreviewSurface"
                color3f inputs:diffuseColor.connect = <{place}/colour.outputs:result>
                float inputs:metallic = 0
                float inputs:roughness = {part.roughness:.6g}
                token outputs:surface
            }}

            def Shader "colour"
            {{
                uniform token info:id = "UsdPrimvarReader_float3"
                string inputs:varname = "displayColor"
                float3 outputs:result
            }}
        }}
"""
    yield "    }\n"


SOUND: Final = "sound"


def _sound(name: str, sequence: CurveSequence) -> Iterator[str]:
    """Yield the prim that plays the WAV file beside the stage from time code 0 on."""
    if not name:
        return
    yield f"""
    def SpatialAudio "{SOUND}"
    {{
        uniform asset filePath = {asset(name)}
        uniform token auralMode = "nonSpatial"
        uniform token playbackMode = "onceFromStartToEnd"
        uniform timecode startTime = 0
        uniform timecode endTime = {max(sequence.rows - 1, 0)}
    }}
"""


def asset(name: str) -> str:
    """Return the asset path of a file beside the layer."""
    return f"@@@./{name.replace('@@@', '_')}@@@"


def write_usdc(take: Take, settings: ExportConfig) -> Iterator[bytes]:
    """Yield a `.usdc` file: the same stage in OpenUSD's binary form.

    UserError without usd-core, where the head cannot be used, or the temporary folder is full.
    """
    try:
        from pxr import Sdf, UsdUtils
    except ImportError:
        remedy = "pip install 'cstalk-bridge[usd]', or use the format usd"
        raise UserError(Problem("usdc", "OpenUSD is not installed", remedy)) from None
    with tempfile.TemporaryDirectory(prefix="cstalk-usd-", ignore_cleanup_errors=True) as folder:
        text, binary = Path(folder, "take.usda"), Path(folder, "take.usdc")
        try:
            with text.open("wb") as file:
                file.writelines(write_usd(take, settings))
            # It keeps warnings off the terminal, as of a file whose version had to rise.
            delegate = UsdUtils.CoalescingDiagnosticDelegate()
            Sdf.Layer.FindOrOpen(str(text)).Export(str(binary))
            delegate.TakeUncoalescedDiagnostics()
            with binary.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            what = f"cannot be written: {error.strerror}"
            raise UserError(Problem(folder, what, "free space there")) from None


CHUNK_BYTES: Final = 1 << 20


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
