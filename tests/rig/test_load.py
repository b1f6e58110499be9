"""Rig map files: inheritance, errors with their places, and symmetry of left and right."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.rig.load import check_files, describe_rigmap, load_rigmap, shipped_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cstalk_bridge.rig.rigmap import RigMap


def load(tmp_path: Path, *curves: str, base: str = "livelinkface61") -> RigMap:
    path = tmp_path / "hero.yaml"
    lines = "".join(f"  {curve}\n" for curve in curves)
    path.write_text(f"extends: {base}\ncurves:\n{lines}")
    return load_rigmap(path)


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_maps_are_mirror_images_of_themselves(name: str) -> None:
    assert load_rigmap(name).warnings == ()


def test_swapped_sides_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load(
            tmp_path,
            "MouthFrownLeft: CTRL_R_mouth_cornerDepress.ty",
            "MouthFrownRight: CTRL_L_mouth_cornerDepress.ty",
        )
    first, second = map(str, caught.value.problems)
    assert (
        "hero.yaml:3:19: `MouthFrownLeft` takes its sources from the right side of the face"
        in first
    )
    assert "swap its sources with those of `MouthFrownRight`" in first
    assert (
        "hero.yaml:4:20: `MouthFrownRight` takes its sources from the left side of the face"
        in second
    )


@pytest.mark.parametrize(
    ("curve", "warning"),
    [
        ("MouthSmileLeft: {gain: 1.3}", "`MouthSmileLeft` and `MouthSmileRight` are not mirror"),
        ("MouthSmileRight: {offset: 0.1}", "are not mirror images"),
        ("MouthSmileRight: {smooth: {min_cutoff_hz: 5}}", "are not mirror images"),
        ("MouthSmileRight: {clamp: [0, 0.5]}", "are not mirror images"),
        ("MouthSmileRight: {response: [[0, 0], [1, 0.5]]}", "are not mirror images"),
        ("MouthSmileRight: {times: JawLeft}", "are not mirror images"),
        ("MouthFrownLeft: CTRL_R_mouth_cornerDepress.ty", "are not mirror images"),
        ("JawRight: CTRL_C_jaw.tx-", "`JawLeft` and `JawRight` are not mirror images"),
        ("LeftEyeYaw: {gain: 0.61}", "`LeftEyeYaw` and `RightEyeYaw` are not mirror images"),
        ("JawOpen: CTRL_L_mouth_stretch.ty", "`JawOpen` treats the two sides of the face"),
        ("HeadYaw: {offset: 0.1}", "`HeadYaw` treats the two sides of the face differently"),
    ],
)
def test_different_sides_are_a_warning(tmp_path: Path, curve: str, warning: str) -> None:
    (found,) = load(tmp_path, curve).warnings
    assert warning in str(found)


def test_a_curve_without_its_partner_is_a_warning(tmp_path: Path) -> None:
    (found,) = load(tmp_path, "CTRL_expressions_earUpR: null", base="metahuman").warnings
    assert "`CTRL_expressions_earUpL` is mapped, its mirror image" in str(found)


@pytest.mark.parametrize(
    "curves",
    [
        ("MouthSmileLeft: {gain: 1.3}", "MouthSmileRight: {gain: 1.3}"),
        ("MouthSmileLeft: {times: JawLeft}", "MouthSmileRight: {times: JawRight}"),
        ("MouthSmileLeft: {times: CTRL_C_jaw.tx-}", "MouthSmileRight: {times: CTRL_C_jaw.tx+}"),
        ("HeadYaw: {gain: -1, clamp: [-0.5, 0.5]}",),
        ("HeadPitch: {gain: -1, clamp: [-0.5, 0.2], offset: 0.1}",),
        ("JawOpen: {from: {CTRL_C_jaw.ty: 1, head.pitch+: 0.2}}",),
    ],
)
def test_symmetric_changes_and_head_signs_are_accepted(tmp_path: Path, curves: list[str]) -> None:
    assert load(tmp_path, *curves).warnings == ()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write_file(text: str, name: str = "hero.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def problems_of(path: Path | str) -> list[str]:
    with pytest.raises(UserError) as caught:
        load_rigmap(path)
    folder = f"{path.parent}{os.sep}" if hasattr(path, "parent") else ""
    return [str(problem).replace(folder, "") for problem in caught.value.problems]


def test_a_five_line_override_keeps_the_rest(write: Callable[..., Path]) -> None:
    hero = load_rigmap(
        write(
            """\
extends: livelinkface61
curves:
  MouthSmileLeft: {gain: 1.3}
  MouthSmileRight: {gain: 1.3}
  HeadYaw: {gain: -1}
"""
        )
    )
    base = load_rigmap("livelinkface61")
    assert hero.name == "hero"
    assert hero.outputs == base.outputs
    changed = {
        name
        for name in base.outputs
        if hero.ruleset.rules[name].config != base.ruleset.rules[name].config
    }
    assert changed == {"MouthSmileLeft", "MouthSmileRight", "HeadYaw"}
    smile = hero.ruleset.rules["MouthSmileLeft"]
    assert smile.config.sources == base.ruleset.rules["MouthSmileLeft"].config.sources
    assert smile.where_key("gain").endswith("hero.yaml:3:26")
    assert "arkit.yaml" in smile.where_key("sources")


def test_null_removes_a_curve_or_resets_a_key(write: Callable[..., Path]) -> None:
    hero = load_rigmap(
        write("extends: vrm\ncurves:\n  happy: null\n  aa: {clamp: null, offset: 0.1}\n")
    )
    assert "happy" not in hero.outputs
    packet = load_rigmap(
        write("extends: livelinkface61\ncurves:\n  TongueOut: null\n  MouthClose: {times: null}\n")
    )
    assert len(packet.outputs) == 61, "a packet has a place for every value"
    assert not packet.ruleset.rules["TongueOut"].config.sources
    assert packet.ruleset.rules["MouthClose"].config.times is None


def test_maps_extend_one_another_relative_to_their_folder(write: Callable[..., Path]) -> None:
    write("extends: vrm\ncurves:\n  aa: {gain: 2, offset: 0.1}\n", "parts/base.yaml")
    hero = load_rigmap(write("extends: parts/base.yaml\ncurves:\n  aa: {gain: 3}\n"))
    spec = hero.ruleset.rules["aa"].config
    assert (spec.gain, spec.offset) == (3.0, 0.1)
    assert hero.target == "vrm"


def test_the_shipped_names() -> None:
    assert shipped_names() == [
        "arkit",
        "livelinkface61",
        "metahuman",
        "metahuman_animation",
        "metahuman_device",
        "vrm",
    ]


def test_all_errors_of_a_file_are_reported_at_once(write: Callable[..., Path]) -> None:
    text = """\
extends: livelinkface61
curvs: {}
curves:
  JawOpn: CTRL_C_jaw.ty
  JawOpen: {from: CTRL_C_jaw.tyy, gaim: 1.2}
  MouthPucker: {from: {CTRL_C_jaw.ty: .nan, CTRL_C_jaw.ty-: 1}}
  MouthFunnel: {gain: 2000}
  MouthFunnel: {gain: 1}
  EyeBlinkLeft: {response: [[0, 0], [0.5, 1], [0.5, 0]]}
  EyeBlinkRight: {response: [[0, 0]]}
  TongueOut: {clamp: [1, 0]}
  HeadYaw: {smooth: {min_cutoff_hz: 0}}
  HeadRoll: 3
"""
    found = problems_of(write(text))
    assert [problem.split(" ")[0] for problem in found] == [
        "hero.yaml:2:1:",
        "hero.yaml:4:3:",
        "hero.yaml:5:19:",
        "hero.yaml:5:35:",
        "hero.yaml:6:39:",
        "hero.yaml:6:45:",
        "hero.yaml:7:23:",
        "hero.yaml:8:3:",
        "hero.yaml:9:28:",
        "hero.yaml:10:29:",
        "hero.yaml:11:22:",
        "hero.yaml:12:37:",
        "hero.yaml:13:13:",
    ]
    assert "hero.yaml:2:1: unknown key `curvs`; did you mean `curves`?" in found
    assert "hero.yaml:4:3: livelinkface61 has no curve `JawOpn`; did you mean `JawOpen`?" in found
    assert "hero.yaml:5:19: unknown source `CTRL_C_jaw.tyy`; did you mean `CTRL_C_jaw.ty`?" in found
    assert any("unknown key `curves.JawOpen.gaim`; did you mean `gain`?" in p for p in found)
    assert any("must run from left to right, found 0.5, 0.5; sort them" in p for p in found)
    assert any("`MouthFunnel` is given twice, first in line 7; remove one" in p for p in found)


def test_errors_of_an_inherited_file_are_reported_too(write: Callable[..., Path]) -> None:
    write("target: vrm\ncurves:\n  aaa: head.yaw\n", "base.yaml")
    found = problems_of(write("extends: base.yaml\ncurves:\n  ah: head.yaw\n  oh: {gan: 1}\n"))
    assert [problem.split(" ")[0] for problem in found] == [
        "hero.yaml:3:3:",
        "hero.yaml:4:8:",
        "base.yaml:3:3:",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("curves: {}", "hero.yaml:1:1: `target` is missing; name the target of the map"),
        ("target: maya", "hero.yaml:1:9: `target` must be 'metahuman', 'livelinkface61', 'vrm'"),
        ("extends: metahumn", "hero.yaml:1:10: no rig map is called `metahumn`; did you mean"),
        ("extends: other.yaml", "hero.yaml:1:10: no such file: other.yaml; check the path"),
        ("extends: hero.yaml", "hero.yaml:1:10: `hero.yaml` extends itself; break the circle"),
        (
            "extends: vrm\ncurves: {aa: null}",
            "hero.yaml:1:1: the required curve `aa` of vrm is missing; map it, or write",
        ),
        ("target: custom\ncurves: {a: null}", "hero.yaml:2:10: `a` is null but not inherited"),
        ("target: custom\ncurves: {a: {gain: 2}}", "hero.yaml:2:10: `a` has no source"),
        (
            "extends: vrm\ncurves: {aa: {clamp: [0, 2]}}",
            "hero.yaml:2:22: the clamp 0..2 of `aa` exceeds its range 0..1; stay within the range",
        ),
        (
            "extends: vrm\ncurves: {aa: {times: jaw}}",
            "hero.yaml:2:22: `jaw` is neither a curve of this map nor a source; known:",
        ),
        (
            "extends: vrm\ncurves: {aa: {times: oh}, oh: {times: ih}}",
            "hero.yaml:2:22: `aa` times `oh`, which is itself a product; name a curve without",
        ),
        (
            "extends: vrm\ncurves: {aa: {times: aa}}",
            "hero.yaml:2:22: `aa` times `aa`, which is itself a product",
        ),
    ],
)
def test_each_error_is_reported(write: Callable[..., Path], text: str, message: str) -> None:
    found = problems_of(write(text))
    assert len(found) == 1
    assert found[0].startswith(message)


def test_inheritance_cycles_and_long_chains_are_refused(write: Callable[..., Path]) -> None:
    write("extends: b.yaml", "a.yaml")
    assert "extends itself" in problems_of(write("extends: a.yaml", "b.yaml"))[0]
    for number in range(12):
        write(f"target: vrm\nextends: c{number + 1}.yaml", f"c{number}.yaml")
    assert "more than 8 files" in problems_of(write("extends: c0.yaml"))[0]


def test_misspelt_map_names_get_a_suggestion(tmp_path: Path) -> None:
    assert "did you mean `livelinkface61`?" in problems_of("livelinkface")[0]
    assert problems_of(tmp_path / "no.yaml") == ["no.yaml: no such file; check the path"]


def test_problems_and_warnings_of_several_maps_are_collected(tmp_path: Path) -> None:
    uneven, invalid = tmp_path / "uneven.yaml", tmp_path / "broken.yaml"
    uneven.write_text("extends: livelinkface61\ncurves:\n  MouthSmileLeft: {gain: 2}\n")
    invalid.write_text("extends: vrm\ncurves:\n  ah: head.yaw\n")
    findings = check_files(["metahuman", uneven, invalid, "nobody"])
    assert [str(warning).count("not mirror images") for warning in findings.warnings] == [1]
    assert len(findings.problems) == 2
    assert check_files(["metahuman", "livelinkface61", "vrm"]) == ([], [])


def test_a_map_is_printed_in_sending_order() -> None:
    lines = describe_rigmap(load_rigmap("livelinkface61")).splitlines()
    assert lines[0] == "livelinkface61: 61 curves for livelinkface61"
    assert lines[2].split() == ["#", "curve", "range", "gain", "made", "from"]
    assert lines[3].split() == ["0", "EyeBlinkLeft", "0..1", "1", "CTRL_L_eye_blink.ty+"]
    assert lines[21].endswith("CTRL_R_mouth_lipsTogetherD.ty  times JawOpen")
    assert "-1.5708..1.5708  -0.61" in lines[58]
    assert len(lines) == 64


def test_every_key_of_a_rule_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(
        "target: custom\ncurves:\n"
        "  a: {from: {CTRL_C_jaw.tx+: -0.5}, response: [[0, 0], [1, 0.5]], offset: 0.1,\n"
        "      smooth: {min_cutoff_hz: 5, beta: 0.05}, clamp: [-1, 2], times: head.yaw}\n"
        "  b: {offset: 0}\n"
    )
    first, second = describe_rigmap(load_rigmap(path)).splitlines()[3:]
    assert first == (
        "0  a      -1..2  1     -0.5 CTRL_C_jaw.tx+  through 0>0 1>0.5  offset 0.1"
        "  smooth 5 Hz, beta 0.05  times head.yaw"
    )
    assert second.split() == ["1", "b", "0..1", "1", "nothing"]
