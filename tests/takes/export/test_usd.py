"""USD animations, read back and posed by OpenUSD itself."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pxr import Gf, Usd, UsdGeom, UsdSkel

from cstalk_bridge.heads.arkit import arkit_names, rotation_of
from cstalk_bridge.heads.glb import write_glb
from cstalk_bridge.heads.library import OWN_HEAD
from cstalk_bridge.heads.mesh import EYES
from cstalk_bridge.heads.nodes import rotation_matrix
from cstalk_bridge.heads.reading import read_head
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.takes.export.curves import ExportConfig
from cstalk_bridge.takes.export.formats import export_take
from cstalk_bridge.takes.export.usd import identifiers, quoted
from cstalk_bridge.takes.take import curves
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.heads.small import small_head, user_head
from tests.takes.takes import whole_face_take

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.heads.mesh import Head
    from cstalk_bridge.takes.take import Take


@pytest.fixture
def head(tmp_path: Path) -> Path:
    path = tmp_path / "small.glb"
    path.write_bytes(write_glb(small_head()))
    return path


def exported(take: Take, head: Path | None, path: Path, rate: str = "60") -> Usd.Stage:
    settings = ExportConfig(rate=FRAME_RATES[rate], head=head)
    path.write_bytes(b"".join(export_take(take, "usd", settings)))
    return Usd.Stage.Open(str(path))


def arkit_curves(take: Take, rate: str = "60") -> np.ndarray:
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
def test_what_is_exported_reads_back(tmp_path: Path, head: Path, rate: str) -> None:
    take = whole_face_take(2600 if rate == "60" else 60)
    stage = exported(take, head, tmp_path / "take.usda", rate)
    table = arkit_curves(take, rate)
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


def test_openusd_moves_the_head_as_we_do(tmp_path: Path, head: Path) -> None:
    take = whole_face_take(40)
    stage = exported(take, head, tmp_path / "take.usda")
    check_poses(stage, read_head(head), arkit_curves(take), [0, 1, 20, 47])


def test_openusd_moves_our_own_head_as_we_do(tmp_path: Path) -> None:
    take = whole_face_take(5)
    stage = exported(take, None, tmp_path / "take.usda")
    check_poses(stage, read_head(OWN_HEAD), arkit_curves(take), [0, 5])
    animation = UsdSkel.Animation(stage.GetPrimAtPath("/head/performance"))
    assert list(animation.GetBlendShapesAttr().Get()) == list(arkit_names())


def test_meshes_are_as_in_the_head(tmp_path: Path, head: Path) -> None:
    stage = exported(whole_face_take(3), head, tmp_path / "take.usda")
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
    stage = exported(whole_face_take(0), head, tmp_path / "take.usda")
    animation = UsdSkel.Animation(stage.GetPrimAtPath("/head/performance"))
    assert list(animation.GetBlendShapeWeightsAttr().Get()) == [0.0] * 3
    assert [rotation.real for rotation in animation.GetRotationsAttr().Get()] == [1.0] * 3


def test_names_of_other_people_are_no_trouble(tmp_path: Path) -> None:
    file = user_head(["jawOpen"], scale=[2, 2, 2])
    file.document["nodes"][0]["name"] = 'Kopf "groß" {}'
    file.add("nodes", {"name": 'Kopf "groß" {}', "mesh": 0})
    file.document["asset"]["copyright"] = 'Me "&" \\ you\nsecond line'
    take = whole_face_take(3)
    stage = exported(take, file.save(tmp_path / "user.glb"), tmp_path / "take.usda")
    assert stage.GetRootLayer().documentation == 'Me "&" \\ you\nsecond line'
    meshes = [prim.GetName() for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh)]
    assert meshes == ["Kopf__gro_____", "Kopf__gro______2"]


def test_texts_and_names_are_written_safely() -> None:
    assert quoted('a"b\\c\nd\0') == '"a\\"b\\\\c\\nd"'
    assert identifiers(["a b", "a-b", "1", "", "taken"], ["taken"]) == [
        "a_b", "a_b_2", "_1", "_", "taken_2",
    ]  # fmt: skip


def test_hours_need_no_memory(head: Path) -> None:
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
