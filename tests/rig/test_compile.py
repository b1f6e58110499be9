"""Left and right: swapped sides are refused, uneven ones are mentioned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.rig.load import load_rigmap, shipped_names

if TYPE_CHECKING:
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


def test_sides_which_are_swapped_are_an_error(tmp_path: Path) -> None:
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
def test_sides_which_differ_are_a_warning(tmp_path: Path, curve: str, warning: str) -> None:
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
def test_even_changes_and_signs_of_the_head_are_fine(tmp_path: Path, curves: list[str]) -> None:
    assert load(tmp_path, *curves).warnings == ()
