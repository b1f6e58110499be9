"""The map for heads with ARKit shapes: curves that move together on a phone move together on it."""

from __future__ import annotations

import numpy as np
import pytest

from cstalk_bridge.models.board import CHANNELS
from cstalk_bridge.rig import ARKIT_MAP, STOCK_MAP
from cstalk_bridge.rig.curves import HEAD_AXES, Frame, load_table
from cstalk_bridge.rig.load import load_rigmap
from tests.rig.test_shipped import SPEECH, both_sides, frame_of, lips

SHAPES = [curve.name for curve in load_table("livelinkface61").curves[:52]]


def shown(frame: Frame, name: str = ARKIT_MAP) -> dict[str, float]:
    rigmap = load_rigmap(name)
    return dict(zip(rigmap.outputs, rigmap.apply(frame).tolist(), strict=True))


def moved(channels: dict[str, float]) -> dict[str, float]:
    values = shown(frame_of(channels))
    return {name: round(values[name], 4) for name in SHAPES if values[name] > 1e-4}


def test_raised_brows_rise_in_the_middle_too() -> None:
    """Real phones: inner over outer is 1.07 while eyes are wide (5 to 95 %: 0.85 to 1.38)."""
    for raised in (0.3, 0.44, 0.8, 1.0):
        face = shown(frame_of(both_sides(brow_raiseIn=raised, brow_raiseOut=raised)))
        outer = (face["BrowOuterUpLeft"] + face["BrowOuterUpRight"]) / 2
        assert 1.0 <= face["BrowInnerUp"] / outer <= 1.3
    stock = shown(frame_of(both_sides(brow_raiseIn=0.42, brow_raiseOut=0.46)), STOCK_MAP)
    assert stock["BrowInnerUp"] < 0.01 < stock["BrowOuterUpLeft"], "for the blueprint alone"


def test_sorrow_raises_the_inner_brows_alone_and_anger_does_not() -> None:
    sad = shown(frame_of(both_sides(brow_raiseIn=0.42, brow_lateral=0.21, brow_down=0.06)))
    assert sad["BrowInnerUp"] == pytest.approx(0.42)
    assert sad["BrowOuterUpLeft"] == 0.0
    angry = shown(frame_of(both_sides(brow_down=0.36, brow_lateral=0.25)))
    assert angry["BrowInnerUp"] == 0.0
    assert angry["BrowDownLeft"] == angry["BrowDownRight"] == pytest.approx(0.36)


def test_rounded_lips_have_some_funnel_beside_the_pucker() -> None:
    """Real phones: with pucker above 0.5, funnel is 0.27 to 0.39; with funnel above 0.5, pucker is
    0.12 to 0.26."""
    oo, oh = (shown(frame_of(SPEECH[pose][0])) for pose in ("oo", "oh"))
    assert oo["MouthPucker"] == pytest.approx(0.7)
    assert 0.27 <= oo["MouthFunnel"] <= 0.39
    assert oh["MouthFunnel"] > 0.5
    assert 0.12 <= oh["MouthPucker"] <= 0.26


def test_lips_close_over_the_jaw_and_never_beyond_it() -> None:
    for jaw in (0.0, 0.1, 0.5, 1.0):
        for together in (0.0, 0.5, 1.0):
            face = shown(frame_of(both_sides(C_jaw=jaw) | lips("lipsTogether", together)))
            assert face["MouthClose"] == pytest.approx(jaw * together, abs=1e-6)


@pytest.mark.parametrize(
    ("channels", "shapes"),
    [
        ({"CTRL_C_mouth.tx": 1.0}, {"MouthLeft": 1.0}),
        ({"CTRL_C_mouth.tx": -1.0}, {"MouthRight": 1.0}),
        ({"CTRL_C_jaw.tx": -1.0}, {"JawLeft": 1.0}),
        ({"CTRL_C_jaw.tx": 1.0}, {"JawRight": 1.0}),
        ({"CTRL_C_jaw_fwdBack.ty": -1.0}, {"JawForward": 1.0}),
        ({"CTRL_L_mouth_cornerPull.ty": 1.0}, {"MouthSmileLeft": 1.0}),
        ({"CTRL_R_nose.ty": 1.0}, {"NoseSneerRight": 1.0}),
        ({"CTRL_L_eye_blink.ty": -0.5}, {"EyeWideLeft": 0.5}),
        ({"CTRL_L_mouth_suckBlow.ty": 1.0, "CTRL_R_mouth_suckBlow.ty": 1.0}, {"CheekPuff": 1.0}),
        ({"CTRL_C_tongue_inOut.ty": -0.5}, {"TongueOut": 0.5}),
        ({"CTRL_L_eye.tx": 1.0, "CTRL_R_eye.tx": 1.0}, {"EyeLookOutLeft": 1, "EyeLookInRight": 1}),
        (both_sides(mouth_lipsRollD=1.0), {"MouthRollLower": 1.0}),
    ],
    ids=str,
)
def test_each_shape_has_its_own_side_and_sign(
    channels: dict[str, float], shapes: dict[str, float]
) -> None:
    assert moved(channels) == pytest.approx(shapes)


def test_every_shape_can_be_reached() -> None:
    reached = set()
    for channel in CHANNELS:
        for value in (channel.minimum, channel.maximum):
            reached |= set(moved({channel.name: value, "CTRL_C_jaw.ty": 1.0}))
    assert reached == set(SHAPES)


def test_the_two_maps_differ_only_where_the_blueprint_mixes() -> None:
    rng = np.random.default_rng(3)
    differing = set()
    for _ in range(50):
        frame = frame_of(
            {channel.name: float(rng.uniform(channel.minimum, 1)) for channel in CHANNELS}
        )
        frame.head[HEAD_AXES.index("yaw")] = 0.2
        plain, stock = shown(frame), shown(frame, STOCK_MAP)
        differing |= {name for name in plain if abs(plain[name] - stock[name]) > 1e-6}
    assert differing == {
        "BrowInnerUp",
        "BrowOuterUpLeft",
        "BrowOuterUpRight",
        "CheekPuff",
        "MouthFunnel",
        "MouthPucker",
        "MouthRollUpper",
        "TongueOut",
    }
