"""GLB and USD animations: read back, validated by Khronos' validator, and posed by OpenUSD."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pxr import Gf, Usd, UsdGeom, UsdMedia, UsdShade, UsdSkel

from cstalk_bridge.heads.glb import Glb, parse_glb, write_glb
from cstalk_bridge.heads.gltf import Accessors, parse_gltf, rotation_matrix
from cstalk_bridge.heads.mesh import EYES, LOOK_ANGLE_RAD, arkit_names, rotation_of
from cstalk_bridge.heads.reading import OWN_HEAD, read_head
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.takes.export.formats import export_take
from cstalk_bridge.takes.export.heads import identifiers, quoted
from cstalk_bridge.takes.export.tables import ExportConfig
from cstalk_bridge.takes.take import curves
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.conformance.gltf_validator import faults, validated
from tests.heads.small import small_head, user_head
from tests.takes.takes import whole_face_take

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.heads.mesh import Head
    from cstalk_bridge.takes.take import Take


RATE = FRAME_RATES["60"]


@pytest.fixture
def head(tmp_path: Path) -> Path:
    path = tmp_path / "small.glb"
    path.write_bytes(write_glb(small_head()))
    return path


def exported(take: Take, head: Path | None, rate: str = "60") -> bytes:
    settings = ExportConfig(rate=FRAME_RATES[rate], head=head)
    return b"".join(export_take(take, "glb", settings))


class Animation:
    """The last animation of a file: times, and values by node name and path."""

    def __init__(self, glb: Glb) -> None:
        gltf = parse_gltf(glb.document)
        accessors = Accessors(gltf, glb.binary)
        animation = glb.document["animations"][-1]
        self.name = animation["name"]
        self.values: dict[tuple[str, str], np.ndarray] = {}
        for channel in animation["channels"]:
            sampler = animation["samplers"][channel["sampler"]]
            entry: dict[str, Any] = glb.document["accessors"][sampler["input"]]
            self.times = accessors.floats(sampler["input"], 1)[:, 0]
            assert (entry["min"], entry["max"]) == ([self.times[0]], [self.times[-1]])
            width = 4 if channel["target"]["path"] == "rotation" else 1
            values = accessors.floats(sampler["output"], width)
            target = gltf.nodes[channel["target"]["node"]].name, channel["target"]["path"]
            self.values[target] = values.reshape(len(self.times), -1)


def arkit_curves(take: Take, rate: str = "60") -> dict[str, np.ndarray]:
    table = curves(take.at(FRAME_RATES[rate]), load_rigmap("arkit"))
    return dict(zip(load_rigmap("arkit").outputs, table.T, strict=True))


@pytest.mark.parametrize("rate", ["23.976", "24", "29.97", "60", "119.88", "120"])
def test_a_glb_export_reads_back(head: Path, rate: str) -> None:
    take = whole_face_take(5000 if rate == "60" else 100)
    read = Animation(parse_glb(exported(take, head, rate)))
    expected = arkit_curves(take, rate)
    rows = len(expected["JawOpen"])
    assert read.name == take.name
    np.testing.assert_allclose(read.times, np.arange(rows) / FRAME_RATES[rate].hz, rtol=1e-6)
    skin = read.values["skin", "weights"]
    for column, name in enumerate(("JawOpen", "EyeBlinkLeft", "BrowInnerUp")):
        np.testing.assert_allclose(skin[:, column], expected[name], atol=1e-4)
    np.testing.assert_allclose(
        read.values["teeth", "weights"][:, 0], expected["JawOpen"], atol=1e-4
    )
    assert set(read.values) == {
        ("skin", "weights"), ("teeth", "weights"),
        ("head", "rotation"), ("eyeLeft", "rotation"), ("eyeRight", "rotation"),
    }  # fmt: skip


def looking(quaternion: np.ndarray) -> np.ndarray:
    """Return where a node turned like this looks, which looks along +Z at rest."""
    return rotation_matrix(tuple(quaternion)) @ [0.0, 0.0, 1.0]


def test_eyes_and_head_turn_as_the_curves_direct(head: Path) -> None:
    take = whole_face_take(50)
    read, expected = Animation(parse_glb(exported(take, head))), arkit_curves(take)
    for eye, sign in (("eyeLeft", 1.0), ("eyeRight", -1.0)):
        side = eye.removeprefix("eye")
        way = {each: expected[f"EyeLook{each}{side}"] for each in ("Out", "In", "Up", "Down")}
        left = sign * LOOK_ANGLE_RAD * (way["Out"] - way["In"])
        up = LOOK_ANGLE_RAD * (way["Up"] - way["Down"])
        assert np.ptp(left) > 0.2
        gaze = np.array([looking(each) for each in read.values[eye, "rotation"]])
        ahead = np.stack([np.sin(left) * np.cos(up), np.sin(up), np.cos(left) * np.cos(up)], axis=1)
        np.testing.assert_allclose(gaze, ahead, atol=1e-5)
    turned = read.values["head", "rotation"]
    yaw, pitch = expected["HeadYaw"], expected["HeadPitch"]
    nose = np.array([looking(each) for each in turned])
    np.testing.assert_allclose(np.arctan2(nose[:, 0], nose[:, 2]), yaw, atol=1e-4)
    np.testing.assert_allclose(np.arcsin(nose[:, 1]), pitch, atol=1e-4)
    right_shoulder = np.array([rotation_matrix(tuple(each))[0, 1] for each in turned])
    rolled = np.abs(yaw) + np.abs(pitch) < 0.05
    assert (np.sign(right_shoulder[rolled]) == -np.sign(expected["HeadRoll"][rolled])).all()


def test_a_head_that_does_not_turn_has_no_rotation(head: Path) -> None:
    read = Animation(parse_glb(exported(whole_face_take(10, has_pose=False), head)))
    assert ("head", "rotation") not in read.values


def test_the_head_of_a_user_keeps_its_content(tmp_path: Path) -> None:
    file = user_head(["smirk", "Face.JawOpen", "mouthSmile_L"], rotation=[0, 1, 0, 0])
    file.add("nodes", {"name": "Head", "children": [0], "rotation": [0.5, 0.5, 0.5, 0.5]})
    times = file.accessor(np.array([[0.0], [1.0]]), min=[0.0], max=[1.0])
    turns = file.accessor(np.array([[0.0, 0, 0, 1], [0.0, 0, 0, 1]]))
    old = {
        "name": "wave",
        "samplers": [{"input": times, "output": turns}],
        "channels": [{"sampler": 0, "target": {"node": 1, "path": "rotation"}}],
    }
    file.add("animations", old)
    file.document["extras"] = {"maker": "someone \U0001f600"}
    take = whole_face_take(20)
    glb = parse_glb(exported(take, file.save(tmp_path / "user.glb")))
    assert glb.document["animations"][0] == old
    assert glb.document["extras"] == file.document["extras"]
    assert glb.document["meshes"] == file.document["meshes"]
    assert glb.binary.startswith(file.binary)
    read, expected = Animation(glb), arkit_curves(take)
    weights = read.values["face", "weights"]
    assert not weights[:, 0].any()
    np.testing.assert_allclose(weights[:, 1], expected["JawOpen"], atol=1e-4)
    np.testing.assert_allclose(weights[:, 2], expected["MouthSmileLeft"], atol=1e-4)
    rest = rotation_matrix((0.5, 0.5, 0.5, 0.5))
    turned = [rotation_matrix(tuple(each)) @ rest.T for each in read.values["Head", "rotation"]]
    nose = np.array(turned) @ [0.0, 0.0, 1.0]
    np.testing.assert_allclose(np.arctan2(nose[:, 0], nose[:, 2]), expected["HeadYaw"], atol=1e-4)


def test_a_take_without_rows_is_the_head_alone(head: Path) -> None:
    glb = parse_glb(exported(whole_face_take(0), head))
    assert "animations" not in glb.document


def test_an_unusable_head_is_reported(tmp_path: Path) -> None:
    take = whole_face_take(2)
    with pytest.raises(UserError, match="no such head"):
        exported(take, tmp_path / "none.glb")
    path = user_head(["smirk", "grin"]).save(tmp_path / "other.glb")
    with pytest.raises(UserError, match="none of its 2 morph targets has an ARKit name: `smirk`"):
        exported(take, path)


def test_hours_of_glb_need_no_memory(head: Path) -> None:
    take = whole_face_take(12_000)
    settings = ExportConfig(rate=RATE, head=head)
    size = sum(len(piece) for piece in export_take(take, "glb", settings))
    tracemalloc.start()
    try:
        longest = max(len(piece) for piece in export_take(take, "glb", settings))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 14_400 * 4 * (1 + 3 + 1 + 3 * 4)
    assert longest < 1 << 20
    assert peak < 4 << 20


def test_the_validator_accepts_the_export(tmp_path: Path, head: Path) -> None:
    take = whole_face_take(75)
    user = user_head(["jawOpen"]).save(tmp_path / "user.glb")
    heads = {"small": head, "user": user, "own": OWN_HEAD}
    files = [*heads.values()]
    for name, path in heads.items():
        files.append(tmp_path / f"{name} animated.glb")
        files[-1].write_bytes(exported(take, path))
    reports = validated(files)
    assert len(reports) == len(files)
    for file, report in zip(files, reports, strict=True):
        assert report["issues"]["numErrors"] == 0, (file, faults(report))
        assert faults(report) == []
    assert [report["info"]["animationCount"] for report in reports[len(heads) :]] == [1] * len(
        heads
    )


def test_all_curves_move_the_bundled_head() -> None:
    take = whole_face_take(10)
    glb = parse_glb(exported(take, None))
    read, expected = Animation(glb), arkit_curves(take)
    moved = set()
    for mesh, node in ((glb.document["meshes"][n["mesh"]], n) for n in glb.document["nodes"][1:]):
        for column, name in enumerate(mesh.get("extras", {}).get("targetNames", ())):
            weights = read.values[node["name"], "weights"][:, column]
            np.testing.assert_allclose(weights, expected[name[0].upper() + name[1:]], atol=1e-4)
            moved.add(name)
    assert moved == set(arkit_names())


def usd_export(take: Take, head: Path | None, path: Path, rate: str = "60") -> Usd.Stage:
    settings = ExportConfig(rate=FRAME_RATES[rate], head=head)
    path.write_bytes(b"".join(export_take(take, "usd", settings)))
    return Usd.Stage.Open(str(path))


def usd_arkit_curves(take: Take, rate: str = "60") -> np.ndarray:
    return curves(take.at(FRAME_RATES[rate]), load_rigmap("arkit"))


def posed(head: Head, row: np.ndarray) -> dict[str, np.ndarray]:
    """Return each part's vertices as the curves of one row [61] move them."""
    weights = dict(zip(arkit_names(), row, strict=False))
    about = {role: rotation_of(role, row[None])[0] for role in ("head", *EYES)}
    points = {}
    for part in head.parts:
        moved = part.positions.astype(np.float64)
        for name, shape in part.shapes.items():
            moved = moved + weights[name] * shape.positions
        if part.name in EYES:
            moved = moved @ rotation_matrix(tuple(about[part.name])).T
        points[part.name] = (moved + part.pivot) @ rotation_matrix(tuple(about["head"])).T
    return points


def check_poses(stage: Usd.Stage, head: Head, table: np.ndarray, rows: list[int]) -> None:
    """Compare what OpenUSD's own skinning makes of some rows with ours."""
    assert UsdSkel.BakeSkinning(UsdSkel.Root(stage.GetDefaultPrim()), Gf.Interval.GetFullInterval())
    for row in rows:
        for name, expected in posed(head, table[row]).items():
            mesh = UsdGeom.Mesh(stage.GetPrimAtPath(f"/head/{name}"))
            place = np.array(mesh.ComputeLocalToWorldTransform(row))
            found = np.array(mesh.GetPointsAttr().Get(row)) @ place[:3, :3] + place[3, :3]
            np.testing.assert_allclose(found, expected, atol=2e-6, err_msg=f"{name} at {row}")


@pytest.mark.parametrize("rate", ["23.976", "25", "29.97", "60", "120"])
def test_a_usd_export_reads_back(tmp_path: Path, head: Path, rate: str) -> None:
    take = whole_face_take(2600 if rate == "60" else 60)
    stage = usd_export(take, head, tmp_path / "take.usda", rate)
    table = usd_arkit_curves(take, rate)
    assert stage.GetTimeCodesPerSecond() == FRAME_RATES[rate].hz
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0, len(table) - 1)
    assert UsdGeom.GetStageUpAxis(stage) == UsdGeom.Tokens.y
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1.0
    assert stage.GetRootLayer().customLayerData["take"] == take.name
    assert stage.GetRootLayer().documentation == "made for a test"
    animation = UsdSkel.Animation(stage.GetPrimAtPath("/head/performance"))
    names = list(animation.GetBlendShapesAttr().Get())
    assert names == ["eyeBlinkLeft", "jawOpen", "browInnerUp"]
    weights = animation.GetBlendShapeWeightsAttr()
    assert weights.GetTimeSamples() == list(range(len(table)))
    found = np.array([weights.Get(row) for row in range(len(table))])
    columns = [arkit_names().index(name) for name in names]
    np.testing.assert_allclose(found, table[:, columns], atol=1e-6)


def test_openusd_moves_the_head_as_the_program_does(tmp_path: Path, head: Path) -> None:
    take = whole_face_take(40)
    stage = usd_export(take, head, tmp_path / "take.usda")
    check_poses(stage, read_head(head), usd_arkit_curves(take), [0, 1, 20, 47])


def test_openusd_moves_the_bundled_head_as_the_program_does(tmp_path: Path) -> None:
    take = whole_face_take(5)
    stage = usd_export(take, None, tmp_path / "take.usda")
    check_poses(stage, read_head(OWN_HEAD), usd_arkit_curves(take), [0, 5])
    animation = UsdSkel.Animation(stage.GetPrimAtPath("/head/performance"))
    assert list(animation.GetBlendShapesAttr().Get()) == list(arkit_names())


def test_meshes_equal_those_of_the_head(tmp_path: Path, head: Path) -> None:
    stage = usd_export(whole_face_take(3), head, tmp_path / "take.usda")
    for part in read_head(head).parts:
        mesh = UsdGeom.Mesh(stage.GetPrimAtPath(f"/head/{part.name}"))
        points = np.array(mesh.GetPointsAttr().Get())
        np.testing.assert_allclose(
            points, part.positions + np.array(part.pivot, np.float32), atol=1e-7
        )
        np.testing.assert_allclose(mesh.GetNormalsAttr().Get(), part.normals, atol=1e-6)
        np.testing.assert_allclose(mesh.GetDisplayColorAttr().Get(), part.colours, atol=1e-6)
        assert list(mesh.GetFaceVertexCountsAttr().Get()) == [3] * len(part.triangles)
        corners = np.array(mesh.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3)
        np.testing.assert_array_equal(corners, part.triangles)
        np.testing.assert_allclose(mesh.GetExtentAttr().Get(), [points.min(0), points.max(0)])
        assert UsdGeom.Mesh.ValidateTopology(
            mesh.GetFaceVertexIndicesAttr().Get(),
            mesh.GetFaceVertexCountsAttr().Get(),
            len(part.positions),
        )[0]


def test_a_take_without_rows_or_motion_is_a_head_at_rest(tmp_path: Path, head: Path) -> None:
    stage = usd_export(whole_face_take(0), head, tmp_path / "take.usda")
    animation = UsdSkel.Animation(stage.GetPrimAtPath("/head/performance"))
    assert list(animation.GetBlendShapeWeightsAttr().Get()) == [0.0] * 3
    assert [rotation.real for rotation in animation.GetRotationsAttr().Get()] == [1.0] * 3


def test_unusual_shape_names_are_exported(tmp_path: Path) -> None:
    file = user_head(["jawOpen"], scale=[2, 2, 2])
    file.document["nodes"][0]["name"] = 'Kopf "groß" {}'
    file.add("nodes", {"name": 'Kopf "groß" {}', "mesh": 0})
    file.document["asset"]["copyright"] = 'Me "&" \\ you\nsecond line'
    take = whole_face_take(3)
    stage = usd_export(take, file.save(tmp_path / "user.glb"), tmp_path / "take.usda")
    assert stage.GetRootLayer().documentation == 'Me "&" \\ you\nsecond line'
    meshes = [prim.GetName() for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh)]
    assert meshes == ["Kopf__gro_____", "Kopf__gro______2"]


def test_texts_and_names_are_escaped() -> None:
    assert quoted('a"b\\c\nd\0') == '"a\\"b\\\\c\\nd"'
    assert identifiers(["a b", "a-b", "1", "", "taken"], ["taken"]) == [
        "a_b", "a_b_2", "_1", "_", "taken_2",
    ]  # fmt: skip


def test_hours_of_usd_need_no_memory(head: Path) -> None:
    take = whole_face_take(6_000)
    pieces = export_take(take, "usd", ExportConfig(head=head))
    tracemalloc.start()
    try:
        size = longest = 0
        for piece in pieces:
            size, longest = size + len(piece), max(longest, len(piece))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 7_200 * 3 * 8
    assert longest < 1 << 20
    assert peak < 8 << 20


def test_a_binary_stage_equals_the_text(tmp_path: Path, head: Path) -> None:
    take, settings = whole_face_take(40), ExportConfig(head=head, sound_name="take.wav")
    for form in ("usd", "usdc"):
        data = b"".join(export_take(take, form, settings))
        (tmp_path / f"take.{form}").write_bytes(data)
    (tmp_path / "take.usd").rename(tmp_path / "take.usda")
    assert (tmp_path / "take.usdc").read_bytes().startswith(b"PXR-USDC")
    text, binary = (Usd.Stage.Open(str(tmp_path / f"take.{end}")) for end in ("usda", "usdc"))
    assert binary.GetRootLayer().ExportToString() == text.GetRootLayer().ExportToString()
    check_poses(binary, read_head(head), usd_arkit_curves(take), [0, 20, 47])


def test_a_stage_has_materials_and_plays_its_sound(tmp_path: Path) -> None:
    (tmp_path / "take.wav").write_bytes(b"")
    settings = ExportConfig(sound_name="take.wav")
    path = tmp_path / "take.usda"
    path.write_bytes(b"".join(export_take(whole_face_take(40), "usd", settings)))
    stage = Usd.Stage.Open(str(path))
    sound = UsdMedia.SpatialAudio(stage.GetPrimAtPath("/head/sound"))
    assert sound.GetFilePathAttr().Get().resolvedPath == str(tmp_path / "take.wav")
    assert sound.GetAuralModeAttr().Get() == UsdMedia.Tokens.nonSpatial
    assert (sound.GetStartTimeAttr().Get(), sound.GetEndTimeAttr().Get()) == (0, 47)
    for part in read_head(OWN_HEAD).parts:
        prim = stage.GetPrimAtPath(f"/head/{part.name}")
        material, _ = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial()
        shader = material.ComputeSurfaceSource()[0]
        assert shader.GetIdAttr().Get() == "UsdPreviewSurface"
        assert shader.GetInput("roughness").Get() == pytest.approx(part.roughness, abs=1e-4)
        (colour,) = shader.GetInput("diffuseColor").GetConnectedSources()[0]
        assert UsdShade.Shader(colour.source).GetInput("varname").Get() == "displayColor"
