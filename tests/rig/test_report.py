"""What the commands say about maps."""

from __future__ import annotations

from bridge.rig.load import load_rigmap
from bridge.rig.report import check_files, show


def test_problems_and_warnings_of_several_maps_are_gathered(tmp_path):
    uneven, broken = tmp_path / "uneven.yaml", tmp_path / "broken.yaml"
    uneven.write_text("extends: livelinkface61\ncurves:\n  MouthSmileLeft: {gain: 2}\n")
    broken.write_text("extends: vrm\ncurves:\n  ah: head.yaw\n")
    findings = check_files(["metahuman", uneven, broken, "nobody"])
    assert [str(warning).count("not mirror images") for warning in findings.warnings] == [1]
    assert len(findings.problems) == 2
    assert check_files(["metahuman", "livelinkface61", "vrm"]) == ([], [])


def test_a_map_is_shown_in_the_order_in_which_it_is_sent():
    lines = show(load_rigmap("livelinkface61")).splitlines()
    assert lines[0] == "livelinkface61: 61 curves for livelinkface61"
    assert lines[2].split() == ["#", "curve", "range", "gain", "made", "from"]
    assert lines[3].split() == ["0", "EyeBlinkLeft", "0..1", "1", "CTRL_L_eye_blink.ty+"]
    assert lines[21].endswith("CTRL_R_mouth_lipsTogetherD.ty  times JawOpen")
    assert "-1.5708..1.5708  -0.61" in lines[58]
    assert len(lines) == 64


def test_every_key_of_a_rule_is_shown(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text(
        "target: custom\ncurves:\n"
        "  a: {from: {CTRL_C_jaw.tx+: -0.5}, response: [[0, 0], [1, 0.5]], offset: 0.1,\n"
        "      smooth: {min_cutoff_hz: 5, beta: 0.05}, clamp: [-1, 2], times: head.yaw}\n"
        "  b: {offset: 0}\n"
    )
    first, second = show(load_rigmap(path)).splitlines()[3:]
    assert first == (
        "0  a      -1..2  1     -0.5 CTRL_C_jaw.tx+  through 0>0 1>0.5  offset 0.1"
        "  smooth 5 Hz, beta 0.05  times head.yaw"
    )
    assert second.split() == ["1", "b", "0..1", "1", "nothing"]
