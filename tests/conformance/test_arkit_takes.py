"""The ARKit map beside takes of real phones: signs, sides, and which curves go together.

A phone's face becomes a board by what each curve is called, and the map must give the phone's own
values back: then whatever goes together on a phone goes together here.
"""

from __future__ import annotations

import numpy as np
import pytest

from cstalk_bridge.models.board import CHANNEL_INDEX
from cstalk_bridge.outputs.livelink_face import decode
from cstalk_bridge.rig import ARKIT_MAP
from cstalk_bridge.rig.curves import load_table, neutral_board
from cstalk_bridge.rig.load import load_rigmap
from tests.conformance.captures import DATA, read_datagrams

NAMES = [curve.name for curve in load_table("livelinkface61").curves]
TAKES = DATA / "iphone" / "range_of_motion_30fps.npz"
PACKETS = DATA / "captures" / "livelinkface_arkit_v6.packets"

Curves = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def phone() -> Curves:
    """Curves of takes in which every shape is exercised."""
    if not TAKES.is_file():
        pytest.skip(f"the takes of real phones are not at {TAKES}")
    with np.load(TAKES) as archive:
        rows = np.concatenate([archive[name] for name in ("rom_3", "rom_4")]).astype(np.float32)
        curves = dict(zip(archive["names"].tolist(), rows.T, strict=True))
    # The app's own table has these two pairs mirrored.
    for left, right in (("MouthLeft", "MouthRight"), ("JawLeft", "JawRight")):
        curves[left], curves[right] = curves[right], curves[left]
    return curves


@pytest.fixture(scope="module")
def packets() -> Curves:
    """Curves of a phone's own packets, whose sides are sure."""
    if not PACKETS.is_file():
        pytest.skip(f"the packets of a real phone are not at {PACKETS}")
    faces = [packet.values for packet in map(decode, read_datagrams(PACKETS))]
    return dict(zip(NAMES, np.array([face for face in faces if face is not None]).T, strict=True))


def board_of(phone: Curves) -> np.ndarray:
    """Return boards [time, 174] on which each of a phone's curves moves what it is called after."""
    rows = len(phone["JawOpen"])
    board = neutral_board(rows)

    def put(channel: str, values: np.ndarray) -> None:
        board[:, CHANNEL_INDEX[channel]] = values

    for side, suffix in (("L", "Left"), ("R", "Right")):
        put(f"CTRL_{side}_brow_down.ty", phone[f"BrowDown{suffix}"])
        put(f"CTRL_{side}_brow_raiseIn.ty", phone["BrowInnerUp"])
        put(f"CTRL_{side}_brow_raiseOut.ty", phone[f"BrowOuterUp{suffix}"])
        put(
            f"CTRL_{side}_eye_blink.ty",
            phone[f"EyeBlink{suffix}"] - phone[f"EyeWide{suffix}"],
        )
        put(f"CTRL_{side}_eye.ty", phone[f"EyeLookUp{suffix}"] - phone[f"EyeLookDown{suffix}"])
        out = phone[f"EyeLookOut{suffix}"] - phone[f"EyeLookIn{suffix}"]
        put(f"CTRL_{side}_eye.tx", out if side == "L" else -out)
        put(f"CTRL_{side}_mouth_cornerPull.ty", phone[f"MouthSmile{suffix}"])
        put(f"CTRL_{side}_nose.ty", phone[f"NoseSneer{suffix}"])
        put(f"CTRL_{side}_eye_cheekRaise.ty", phone[f"CheekSquint{suffix}"])
    put("CTRL_C_jaw.ty", phone["JawOpen"])
    put("CTRL_C_jaw.tx", phone["JawRight"] - phone["JawLeft"])
    put("CTRL_C_mouth.tx", phone["MouthLeft"] - phone["MouthRight"])
    return board


def shown(phone: Curves) -> Curves:
    rigmap = load_rigmap(ARKIT_MAP)
    board = board_of(phone)
    values = rigmap.applier().apply_sequence(
        board, np.zeros((len(board), 6), np.float32), np.arange(0.0, len(board))
    )
    return dict(zip(rigmap.outputs, values.T, strict=True))


def together(curves: Curves, one: str, other: str) -> float:
    return float(np.corrcoef(curves[one], curves[other])[0, 1])


def ratio(curves: Curves) -> float:
    """Inner over outer brow, while the eyes are wide and the brows up."""
    outer = (curves["BrowOuterUpLeft"] + curves["BrowOuterUpRight"]) / 2
    wide = (curves["EyeWideLeft"] + curves["EyeWideRight"]) / 2
    surprised = (wide > 0.25) & (outer > 0.05)
    assert surprised.sum() > 100
    return float(np.median(curves["BrowInnerUp"][surprised] / outer[surprised]))


@pytest.mark.parametrize("source", ["phone", "packets"])
def test_a_phone_raises_inner_and_outer_brows_together(
    source: str, request: pytest.FixtureRequest
) -> None:
    curves = request.getfixturevalue(source)
    assert together(curves, "BrowInnerUp", "BrowOuterUpLeft") > 0.95
    assert 1.0 < ratio(curves) < 1.2
    assert ratio(shown(curves)) / ratio(curves) == pytest.approx(1 / 0.9, abs=0.08)


PAIRS = [
    ("BrowInnerUp", "BrowOuterUpLeft"),
    ("NoseSneerLeft", "BrowDownLeft"),
    ("EyeWideLeft", "BrowOuterUpLeft"),
    ("EyeLookInLeft", "EyeLookOutRight"),
    ("EyeLookOutLeft", "EyeLookInRight"),
    ("EyeBlinkLeft", "EyeBlinkRight"),
    ("MouthSmileLeft", "MouthSmileRight"),
    ("JawLeft", "MouthLeft"),
    ("JawRight", "MouthRight"),
]
APART = [
    ("EyeLookInLeft", "EyeLookInRight"),
    ("EyeLookOutLeft", "EyeLookOutRight"),
    ("JawLeft", "MouthRight"),
    ("BrowDownLeft", "BrowInnerUp"),
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_curves_that_move_together_on_a_phone_move_together_here(
    phone: Curves, one: str, other: str
) -> None:
    assert together(phone, one, other) > 0.5
    assert together(shown(phone), one, other) > 0.5


@pytest.mark.parametrize(("one", "other"), APART)
def test_curves_that_move_apart_on_a_phone_move_apart_here(
    phone: Curves, one: str, other: str
) -> None:
    assert together(phone, one, other) < 0.1
    assert together(shown(phone), one, other) < 0.1


def test_eyes_turn_in_the_directions_of_a_phone(packets: Curves) -> None:
    face = shown(packets)
    for side, inward in (("Left", -1), ("Right", 1)):
        look = packets[f"EyeLookOut{side}"] - packets[f"EyeLookIn{side}"]
        for curves in (packets, face):
            down = curves[f"EyeLookDown{side}"] - curves[f"EyeLookUp{side}"]
            assert np.polyfit(look, curves[f"{side}EyeYaw"], 1)[0] * inward > 0.4
            assert np.polyfit(down, curves[f"{side}EyePitch"], 1)[0] > 0.4


def test_a_mouth_that_moves_sideways_smiles_on_that_side(packets: Curves) -> None:
    """The sides of the packet, which the app's own table has mirrored."""
    for curves in (packets, shown(packets)):
        aside = curves["MouthLeft"] - curves["MouthRight"]
        smile = curves["MouthSmileLeft"] - curves["MouthSmileRight"]
        assert np.corrcoef(aside, smile)[0, 1] > 0.6


def test_a_phone_closes_lips_no_further_than_its_jaw_is_open(phone: Curves) -> None:
    assert (phone["MouthClose"] - phone["JawOpen"]).max() < 0.06


def test_a_phone_adds_a_third_of_funnel_to_pursed_lips(phone: Curves) -> None:
    low, high = np.percentile(phone["MouthFunnel"][phone["MouthPucker"] > 0.5], [5, 95])
    assert 0.25 < low < high < 0.42
    low, high = np.percentile(phone["MouthPucker"][phone["MouthFunnel"] > 0.5], [5, 95])
    assert 0.1 < low < high < 0.3
