"""Heads imported from data sets: small files in their layouts, and the heads they must become."""

from __future__ import annotations

import gzip
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.heads.glb import write_glb
from cstalk_bridge.heads.importing import EYES_TO_JOINT_M, import_head, parse_obj, sphere_centre
from cstalk_bridge.heads.mesh import IRIS, PUPIL, SCLERA
from cstalk_bridge.heads.reading import read_head
from cstalk_bridge.models.errors import UserError
from tests.conformance.gltf_validator import faults, validated
from tests.heads.data_sets import ball, ict_facekit, makehuman

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.heads.mesh import Head, Part


def parts_of(head: Head) -> dict[str, Part]:
    return {part.name: part for part in head.parts}


def check_eyes(head: Head) -> None:
    """Both eyes stand before and above the neck's joint, and look ahead."""
    parts = parts_of(head)
    for name, side in (("eyeLeft", 1), ("eyeRight", -1)):
        eye = parts[name]
        place = -EYES_TO_JOINT_M + [side * 0.03, 0.0, 0.0]
        np.testing.assert_allclose(eye.pivot, place, atol=1e-6)
        assert not eye.shapes
        np.testing.assert_allclose(np.linalg.norm(eye.positions, axis=1), 0.015, atol=1e-6)
        angle = np.degrees(np.arccos(eye.positions[:, 2] / 0.015))
        for colour, low, high in ((PUPIL, 0, 9), (IRIS, 9, 24), (SCLERA, 24, 180)):
            band = (angle > low + 0.1) & (angle < high - 0.1)
            assert band.any()
            np.testing.assert_allclose(
                eye.colours[band], np.tile(colour, (band.sum(), 1)), rtol=1e-6
            )


def test_ict_facekit_becomes_a_head(tmp_path: Path) -> None:
    head = import_head([ict_facekit(tmp_path / "ICT-FaceKit")])
    parts = parts_of(head)
    assert list(parts) == ["skin", "mouthInside", "teeth", "eyeLeft", "eyeRight"]
    skin = parts["skin"]
    assert set(skin.shapes) == {"jawOpen", "browInnerUp", "eyeBlinkLeft", "mouthRollLower"}
    assert not parts["teeth"].shapes
    moved = skin.shapes["browInnerUp"].positions
    face = np.abs(moved).max(axis=1) > 0
    assert face.sum() == len(face) / 2
    np.testing.assert_allclose(moved[face], np.tile([0.0, 0.02, 0.0], (face.sum(), 1)), atol=1e-8)
    np.testing.assert_allclose(skin.shapes["jawOpen"].positions[face][:, 1], -0.04, atol=1e-8)
    check_eyes(head)
    middle = (skin.positions[face].min(0) + skin.positions[face].max(0)) / 2
    expected = np.array([0.0, -0.035, 0.05 - 0.078]) - EYES_TO_JOINT_M
    np.testing.assert_allclose(middle, expected, atol=2e-4)
    assert "2020 USC Institute for Creative Technologies" in head.licence
    assert "Permission is hereby granted" in head.licence


def test_makehuman_data_becomes_a_head(tmp_path: Path) -> None:
    folder, archive = makehuman(tmp_path / "with spaces")
    head = import_head([folder / "makehuman", archive])
    plain = import_head([folder, archive])
    assert [part.name for part in plain.parts] == [part.name for part in head.parts]
    parts = parts_of(head)
    assert list(parts) == ["skin", "tongue", "teeth", "eyeLeft", "eyeRight"]
    skin = parts["skin"]
    assert set(skin.shapes) == {"jawOpen", "tongueOut", "eyeBlinkLeft"}
    moved = skin.shapes["jawOpen"].positions
    np.testing.assert_allclose(moved, np.tile([0.01, -0.04, 0.0], (len(moved), 1)), atol=1e-8)
    check_eyes(head)
    lowest = skin.positions[:, 1].min() + EYES_TO_JOINT_M[1]
    assert -0.19 < lowest < -0.12
    assert "CC0" in head.licence
    assert "2023-2024 Mika Suominen" in head.licence


def test_proportions_of_people_are_blended_from_the_base(tmp_path: Path) -> None:
    folder, archive = makehuman(tmp_path)
    whole = parts_of(import_head([folder, archive]))["skin"]
    shutil.rmtree(folder / "makehuman" / "data" / "targets")
    base = parts_of(import_head([folder, archive]))["skin"]
    shift = 0.1 * (0.4 * 0.1 + 0.3 * 0.2 + 0.3 * 0.3)
    np.testing.assert_allclose(whole.positions, base.positions + np.array([shift, 0, 0]), atol=1e-7)


def test_targets_may_be_separate_files(tmp_path: Path) -> None:
    folder, archive = makehuman(tmp_path)
    archive.unlink()
    with pytest.raises(
        UserError, match=r"holds no head that can be imported.*talkinghead-targets\.zip"
    ):
        import_head([folder])
    packed = tmp_path / "jawOpen.target.gz"
    packed.write_bytes(gzip.compress(b"0 0 -1 0\n1 0 -1 0\n2 0 -1 0\n"))
    head = import_head([folder / "makehuman" / "data" / "3dobjs" / "base.obj", packed])
    assert set(parts_of(head)["skin"].shapes) == {"jawOpen"}
    assert "Suominen" not in head.licence


def test_the_validator_accepts_imported_heads(tmp_path: Path) -> None:
    heads = {
        "ict": import_head([ict_facekit(tmp_path / "ict")]),
        "makehuman": import_head(makehuman(tmp_path / "mh")),
    }
    files = []
    for name, head in heads.items():
        files.append(tmp_path / f"{name}.glb")
        files[-1].write_bytes(write_glb(head))
        again = read_head(files[-1])
        assert again.licence == head.licence
        assert [part.name for part in again.parts] == [part.name for part in head.parts]
    for report in validated(files):
        assert faults(report) == []


def test_an_eyeball_with_a_cornea_turns_about_the_ball() -> None:
    points = ball((0.03, 0.02, 0.08), 0.012)[0]
    ahead = points[:, 2] > 0.089
    assert ahead.any()
    points[ahead, 2] += 0.002
    np.testing.assert_allclose(sphere_centre(points), (0.03, 0.02, 0.08), atol=1e-9)


def test_polygons_become_triangle_fans() -> None:
    mesh = parse_obj(b"v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\ng a\nf 1/1/1 2 3 4\ng b\nf 4 2 1\n", "g")
    assert {name: faces.tolist() for name, faces in mesh.triangles.items()} == {
        "a": [[0, 1, 2], [0, 2, 3]],
        "b": [[3, 1, 0]],
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"v 0 0\n", "2 instead of 3 numbers"),
        (b"v 0 0 x\n", "could not convert"),
        (b"v 0 0 nan\n", "not finite"),
        (b"v 0 0 " + b"1" * 40 + b"\n", "more than 32 digits"),
        (b"v 0 0 0\nf 1 1 2\n", "a face of `` is not of the 1 points"),
        (b"v 0 0 0\nf -1 1 1\n", "not of the 1 points"),
        (b"v 0 0 0\nf 1 b 1\n", "invalid literal"),
    ],
)
def test_damaged_meshes_are_reported(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_obj(content, "g")
    folder = ict_facekit(tmp_path)
    (folder / "FaceXModel" / "generic_neutral_mesh.obj").write_bytes(content)
    with pytest.raises(UserError, match=rf"generic_neutral_mesh\.obj: cannot be read: .*{message}"):
        import_head([folder])


def test_other_damage_is_reported(tmp_path: Path) -> None:
    folder = ict_facekit(tmp_path / "ict")
    (folder / "FaceXModel" / "jawOpen.obj").write_text("v 0 0 0\n")
    with pytest.raises(UserError, match=r"jawOpen\.obj: cannot be read: 1 points instead of"):
        import_head([folder])
    with pytest.raises(UserError, match=r"no such file or folder"):
        import_head([tmp_path / "none"])
    folder, archive = makehuman(tmp_path / "mh")
    base = folder / "makehuman" / "data" / "3dobjs" / "base.obj"
    for content, message in (
        (b"99999999 0 0 0\n", "it moves point 99999999"),
        (b"-1 0 0 0\n", "it moves point -1"),
        (b"1 0 0\n", "3 instead of 4 numbers"),
    ):
        target = tmp_path / "jawOpen.target"
        target.write_bytes(content)
        with pytest.raises(UserError, match=f"jawOpen.target: cannot be read: {message}"):
            import_head([base, target])
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(UserError, match=r"talkinghead-targets\.zip: cannot be unpacked"):
        import_head([folder, archive])
    bomb = tmp_path / "jawOpen.target.gz"
    bomb.write_bytes(gzip.compress(bytes(40 << 20)))
    with pytest.raises(UserError, match="larger than 32 MB"):
        import_head([base, bomb])
