"""Heads of users: their shapes, their vertices, and the errors of damaged files."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cstalk_bridge.heads.glb import glb_chunks, write_glb
from cstalk_bridge.heads.mesh import arkit_names
from cstalk_bridge.heads.reading import (
    MAX_HEADS,
    OWN_HEAD,
    OWN_ID,
    chosen_head,
    heads_folder,
    list_heads,
    open_arkit_head,
    open_head,
    read_head,
)
from cstalk_bridge.models.errors import UserError
from tests.heads.small import Written, small_head, user_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from cstalk_bridge.heads.mesh import Part


CORNERS = np.array([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [0.0, 0.1, 0.0]])


def test_heads_in_our_own_form_round_trip(tmp_path: Path) -> None:
    made = small_head()
    path = tmp_path / "small.glb"
    path.write_bytes(write_glb(made))
    read = read_head(path)
    assert (read.name, read.licence) == ("small", made.licence)
    for part, found in zip(made.parts, read.parts, strict=True):
        assert (part.name, list(part.shapes)) == (found.name, list(found.shapes))
        np.testing.assert_allclose(found.pivot, part.pivot, atol=1e-9)
        np.testing.assert_allclose(found.positions, part.positions, atol=2e-6)
        np.testing.assert_allclose(found.normals, part.normals, atol=1e-2)
        np.testing.assert_allclose(found.colours, part.colours, atol=3e-3)
        np.testing.assert_array_equal(found.triangles, part.triangles)
        for name, shape in part.shapes.items():
            np.testing.assert_allclose(found.shapes[name].positions, shape.positions, atol=2e-6)


def test_spellings_are_tolerated_and_unknown_shapes_are_listed(tmp_path: Path) -> None:
    names = ["Face.EyeBlink_L", "JAWOPEN", "smirk", "jawOpen", "blendShape1_mouthClose"]
    shapes = open_head(user_head(names).save(tmp_path / "user.glb")).shapes
    assert shapes.targets == {0: ("eyeBlinkLeft", "jawOpen", None, None, "mouthClose")}
    assert shapes.found == ("eyeBlinkLeft", "jawOpen", "mouthClose")
    assert shapes.unknown == ("smirk",)
    assert len(shapes.missing) == 49
    assert set(shapes.missing) | set(shapes.found) == set(arkit_names())


def test_names_cannot_send_terminal_escapes(tmp_path: Path) -> None:
    path = user_head(["jawOpen", "\x1b[2J" + "x" * 500]).save(tmp_path / "user.glb")
    assert open_head(path).shapes.unknown == ("[2J" + "x" * 116,)


def test_names_may_stand_at_the_primitive(tmp_path: Path) -> None:
    file = user_head(["jawOpen"])
    mesh = file.document["meshes"][0]
    mesh["primitives"][0]["extras"] = mesh.pop("extras")
    assert open_head(file.save(tmp_path / "a.vrm")).shapes.found == ("jawOpen",)


@pytest.mark.parametrize("version", [0, 1])
def test_expressions_of_a_vrm_name_its_shapes(tmp_path: Path, version: int) -> None:
    file = user_head(["Fcl_1", "Fcl_2", "Fcl_3"])
    bones = {"head": 1, "leftEye": 2}
    for name in ("J_Bip_C_Head", "J_Adj_L_FaceEye"):
        file.add("nodes", {"name": name, "translation": [0, 1.5, 0]})
    if version == 0:
        groups = [
            {"name": "JawOpen", "binds": [{"mesh": 0, "index": 1, "weight": 100}]},
            {"name": "A", "presetName": "a", "binds": [{"mesh": 0, "index": 0, "weight": 100}]},
        ]
        human = [{"bone": bone, "node": node} for bone, node in bones.items()]
        vrm: dict[str, Any] = {"blendShapeMaster": {"blendShapeGroups": groups}}
        file.document["extensions"] = {"VRM": {**vrm, "humanoid": {"humanBones": human}}}
    else:
        expressions = {
            "preset": {"aa": {"morphTargetBinds": [{"node": 0, "index": 0, "weight": 1}]}},
            "custom": {"JawOpen": {"morphTargetBinds": [{"node": 0, "index": 1, "weight": 1}]}},
        }
        human1 = {bone: {"node": node} for bone, node in bones.items()}
        vrm = {"expressions": expressions, "humanoid": {"humanBones": human1}}
        file.document["extensions"] = {"VRMC_vrm": vrm}
    path = file.save(tmp_path / "figure.vrm")
    shapes = open_head(path).shapes
    assert shapes.targets == {0: (None, "jawOpen", None)}
    assert set(shapes.expressions) == {"JawOpen", "aa" if version else "A"}
    (part,) = read_head(path).parts
    front = [-1, 1, -1] if version == 0 else [1, 1, 1]
    np.testing.assert_allclose(part.positions, (CORNERS - [0, 1.5, 0]) * front, atol=1e-6)
    np.testing.assert_allclose(part.shapes["jawOpen"].positions, [[0, 0.002, 0]] * 3, atol=1e-7)


def test_a_vrm_without_arkit_shapes_can_be_shown_but_not_exported(tmp_path: Path) -> None:
    file = user_head(["Fcl_1"])
    aa = {"morphTargetBinds": [{"node": 0, "index": 0, "weight": 1}]}
    file.document["extensions"] = {"VRMC_vrm": {"expressions": {"preset": {"aa": aa}}}}
    path = file.save(tmp_path / "figure.vrm")
    assert open_head(path).shapes.expressions == ("aa",)
    with pytest.raises(UserError, match=r"has VRM expressions \(aa\) but no ARKit shapes"):
        open_arkit_head(path)


def test_node_transforms_are_applied_to_vertices(tmp_path: Path) -> None:
    file = user_head(["jawOpen"], translation=[0, 0, 1], scale=[1, 2, 1])
    file.add("nodes", {"name": "Head", "children": [0], "translation": [0, 5, 0],
                       "rotation": [0, np.sqrt(0.5), 0, np.sqrt(0.5)]})  # fmt: skip
    file.add("nodes", {"children": [1], "matrix": [*(2, 0, 0, 0), *(0, 2, 0, 0), *(0, 0, 2, 0),
                                                   *(7, 7, 7, 1)]})  # fmt: skip
    (part,) = read_head(file.save(tmp_path / "user.glb")).parts
    x, y, z = (CORNERS * [1, 2, 1] + [0, 0, 1]).T
    np.testing.assert_allclose(part.positions, 2 * np.stack([z, y, -x], axis=1), atol=1e-6)
    np.testing.assert_allclose(part.normals, [[1, 0, 0]] * 3, atol=1e-6)
    np.testing.assert_allclose(part.shapes["jawOpen"].positions, [[0, 0.004, 0]] * 3, atol=1e-7)


def test_a_mirrored_mesh_keeps_its_orientation(tmp_path: Path) -> None:
    file = user_head(["jawOpen"], scale=[-1, 1, 1])
    normals = file.accessor(np.tile([0.0, 0.0, 1.0], (3, 1)))
    file.document["meshes"][0]["primitives"][0]["attributes"]["NORMAL"] = normals
    (part,) = read_head(file.save(tmp_path / "user.glb")).parts
    first, second, third = part.positions[part.triangles[0]]
    assert np.cross(second - first, third - first)[2] > 0
    np.testing.assert_allclose(part.normals, [[0, 0, 1]] * 3, atol=1e-6)


def test_colours_and_indices_are_read(tmp_path: Path) -> None:
    file = user_head(["jawOpen"])
    primitive = file.document["meshes"][0]["primitives"][0]
    primitive["attributes"]["COLOR_0"] = file.accessor(
        np.tile([255, 51, 0, 255], (3, 1)), "u1", normalized=True
    )
    primitive["indices"] = file.accessor(np.array([[2], [0], [1]]), "u1")
    primitive["material"] = file.add(
        "materials",
        {"pbrMetallicRoughness": {"baseColorFactor": [0.5, 0.5, 1, 1], "roughnessFactor": 0.25}},
    )
    (part,) = read_head(file.save(tmp_path / "user.glb")).parts
    np.testing.assert_allclose(part.colours, [[0.5, 0.1, 0.0]] * 3, atol=1e-6)
    assert part.triangles.tolist() == [[2, 0, 1]]
    assert part.roughness == 0.25


def document_of(change: Callable[[Written], object]) -> bytes:
    file = user_head(["jawOpen", "smirk"])
    change(file)
    return file.content()


def primitive(file: Written) -> dict[str, Any]:
    found: dict[str, Any] = file.document["meshes"][0]["primitives"][0]
    return found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.document.update(asset={"version": "1.0"}), "asset.version"),
        (lambda f: f.document.pop("asset"), "asset: Field required"),
        (lambda f: f.document.update(meshes=7), "meshes: Input should be a valid tuple"),
        (lambda f: f.document["nodes"][0].update(children=[0]), "1 nodes are their own ancestors"),
        (lambda f: f.document["nodes"][0].update(children=[3]), "node 3 does not exist"),
        (lambda f: f.add("nodes", {"children": [0, 0]}), "node 0 has two parents"),
        (lambda f: f.document["nodes"][0].update(scale=[1e300] * 3), "too large"),
        (lambda f: f.document["nodes"][0].update(mesh=1), "mesh 1 does not exist"),
        (lambda f: primitive(f)["attributes"].clear(), "has no positions"),
        (lambda f: primitive(f)["attributes"].update(POSITION=40), "accessor 40 does not exist"),
        (lambda f: primitive(f).update(indices=0), "'VEC3' have not 1 numbers"),
        (lambda f: primitive(f).update(material=2), "material 2 does not exist, there are 0"),
        (lambda f: f.document["accessors"][1].update(count=2), "2 elements for 3 vertices"),
        (lambda f: f.document["accessors"][0].update(count=10**9), "more than 256 MB of memory"),
        (lambda f: f.document["bufferViews"][0].update(buffer=1), "buffer 1 does not exist"),
        (lambda f: f.document.update(nodes=[{}] * 20001), "at most 20000"),
        (
            lambda f: f.document["meshes"][0]["primitives"].append({"attributes": {}}),
            "differ in their targets",
        ),
        (
            lambda f: f.document.update(extensions={"VRM": {"blendShapeMaster": 3}}),
            "the VRM extension has 1 faults",
        ),
        (
            lambda f: f.document.update(
                extensions={"VRMC_vrm": {"humanoid": {"humanBones": {"head": {"node": 9}}}}}
            ),
            "node 9 does not exist",
        ),
    ],
)
def test_faults_are_reported(
    tmp_path: Path, change: Callable[[Written], object], message: str
) -> None:
    path = tmp_path / "user.glb"
    path.write_bytes(document_of(change))
    with pytest.raises(UserError, match=message) as caught:
        read_head(path)
    assert caught.value.problems[0].where == str(path)
    assert caught.value.problems[0].remedy


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.document["meshes"][0].pop("extras"), "its morph targets have no names"),
        (lambda f: primitive(f).pop("targets"), "no morph targets, so nothing in it can move"),
        (lambda f: f.document.pop("meshes"), "no morph targets"),
    ],
)  # fmt: skip
def test_a_head_that_cannot_move_is_explained(
    tmp_path: Path, change: Callable[[Written], object], message: str
) -> None:
    path = tmp_path / "user.glb"
    path.write_bytes(document_of(change))
    with pytest.raises(UserError, match=f"{message}.*export it with the 52 ARKit shapes"):
        open_head(path)


def test_external_data_is_refused(tmp_path: Path) -> None:
    file = user_head(["jawOpen"])
    content = file.content()
    outside = b'"buffers":[{"uri":"/etc/passwd","byteLength":'
    assert b'"buffers":[{"byteLength":' in content
    changed = content.replace(b'"buffers":[{"byteLength":', outside)
    grown = len(changed) - len(content)
    padding = b" " * (-grown % 4)
    size = struct.unpack_from("<I", content, 12)[0]
    text = changed[20 : 20 + size + grown] + padding
    rest = changed[20 + size + grown :]
    whole = struct.pack("<II", len(text), 0x4E4F534A) + text + rest
    path = tmp_path / "user.glb"
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(whole)) + whole)
    with pytest.raises(UserError, match="lies outside of the file"):
        open_head(path)


def parts_or_refusal(path: Path) -> tuple[Part, ...]:
    """Return the parts of a head, none where it is refused with a UserError."""
    try:
        return read_head(path).parts
    except UserError as error:
        wheres = {problem.where for problem in error.problems}
    assert wheres == {str(path)}
    return ()


SEEDS = (write_glb(small_head()), user_head(["jawOpen", "EyeBlink_L"], scale=[1, 2, 3]).content())


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6)), min_size=1, max_size=6),
    st.booleans(),
)
def test_damage_is_reported_or_harmless(
    tmp_path: Path, content: bytes, changes: list[tuple[float, bytes]], grows: bool
) -> None:
    changed = bytearray(content)
    for place, data in changes:
        start = int(place * len(changed))
        changed[start : start if grows else start + len(data)] = data
    path = tmp_path / "damaged.glb"
    path.write_bytes(changed)
    for part in parts_or_refusal(path):
        assert np.isfinite(part.positions).all()
        assert part.triangles.size == 0 or part.triangles.max() < len(part.positions)


numbers = st.integers(-2, 2**33) | st.floats() | st.none() | st.text(max_size=3)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in a document."""
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    below = [
        each
        for key, inner in entries
        if isinstance(inner, dict | list)
        for each in paths(inner, (*path, key))
    ]
    return [*((*path, key) for key in (value if isinstance(value, dict) else range(len(value)))),
            *below]  # fmt: skip


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_inconsistent_documents_are_reported_or_harmless(
    tmp_path: Path, data: st.DataObject
) -> None:
    file = user_head(["jawOpen", "EyeBlink_L"], rotation=[0, 0, 0, 1])
    file.content()
    for _ in range(data.draw(st.integers(1, 3))):
        *above, key = data.draw(st.sampled_from(paths(file.document)))
        place = file.document
        for step in above:
            place = place[step] if isinstance(place, dict | list) else {}
        value = data.draw(numbers)
        finite = not isinstance(value, float) or np.isfinite(value)
        if isinstance(place, dict | list) and finite:
            place[key] = value
    path = tmp_path / "lies.glb"
    path.write_bytes(b"".join(glb_chunks(file.document, [file.binary], len(file.binary))))
    tracemalloc.start()
    try:
        parts_or_refusal(path)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 1 << 30


@pytest.mark.parametrize(
    ("platform", "env", "folder"),
    [
        ("linux", {}, "home/.local/share/cstalk-bridge/heads"),
        ("linux", {"XDG_DATA_HOME": "data"}, "data/cstalk-bridge/heads"),
        ("darwin", {}, "home/Library/Application Support/cstalk-bridge/heads"),
        ("win32", {}, "home/AppData/Roaming/cstalk-bridge/heads"),
        ("win32", {"APPDATA": "roaming"}, "roaming/cstalk-bridge/heads"),
    ],
)
def test_each_system_has_its_own_folder(platform: str, env: dict[str, str], folder: str) -> None:
    assert heads_folder(env, platform, Path("home")) == Path(folder)


def test_the_named_head_is_listed_first(tmp_path: Path) -> None:
    for name in ("Zoë's head.glb", "b.VRM", "notes.txt", "own.glb"):
        (tmp_path / name).touch()
    named = tmp_path / "elsewhere" / "b.glb"
    heads = list_heads(named, tmp_path)
    assert [head.id for head in heads] == ["b", "b-2", "own-2", "zo-s-head", OWN_ID]
    assert heads[0].path == named
    assert heads[-1].path == OWN_HEAD
    assert [head.id for head in list_heads(None, tmp_path / "none")] == [OWN_ID]


def test_a_long_list_of_heads_is_truncated(tmp_path: Path) -> None:
    for number in range(MAX_HEADS + 10):
        (tmp_path / f"{number:03d}.glb").touch()
    heads = list_heads(None, tmp_path)
    assert len(heads) == len({head.id for head in heads}) == MAX_HEADS


def test_the_bundled_head_has_every_shape() -> None:
    assert open_head(chosen_head(None)).shapes.found == arkit_names()
    with pytest.raises(UserError, match="no such head"):
        chosen_head(Path("none.glb"))
