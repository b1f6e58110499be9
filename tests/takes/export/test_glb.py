"""GLB animations: read back by ourselves, and accepted by the Khronos validator."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cstalk_bridge.heads.arkit import arkit_names
from cstalk_bridge.heads.glb import Glb, parse_glb, write_glb
from cstalk_bridge.heads.gltf import Accessors, parse_gltf
from cstalk_bridge.heads.library import OWN_HEAD
from cstalk_bridge.heads.mesh import LOOK_ANGLE_RAD
from cstalk_bridge.heads.nodes import rotation_matrix
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.takes.export.curves import ExportConfig
from cstalk_bridge.takes.export.formats import export_take
from cstalk_bridge.takes.take import curves
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.conformance.gltf_validator import faults, validated
from tests.heads.small import small_head, user_head
from tests.takes.takes import whole_face_take

if TYPE_CHECKING:
    from pathlib import Path

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
def test_what_is_exported_reads_back(head: Path, rate: str) -> None:
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


def test_eyes_and_head_turn_as_the_curves_say(head: Path) -> None:
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


def test_a_users_head_keeps_what_it_has(tmp_path: Path) -> None:
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


def test_an_unusable_head_is_told(tmp_path: Path) -> None:
    take = whole_face_take(2)
    with pytest.raises(UserError, match="no such head"):
        exported(take, tmp_path / "none.glb")
    path = user_head(["smirk", "grin"]).save(tmp_path / "other.glb")
    with pytest.raises(UserError, match="none of its 2 morph targets has an ARKit name: `smirk`"):
        exported(take, path)


def test_hours_need_no_memory(head: Path) -> None:
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


def test_the_validator_accepts_what_we_write(tmp_path: Path, head: Path) -> None:
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


def test_our_own_head_is_moved_by_all_curves() -> None:
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
