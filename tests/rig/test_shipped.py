"""The shipped maps against the behaviour of the rigs."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.face.procedural.animation import overlay
from cstalk_bridge.models.board import AUDIO_DRIVEN, CHANNEL_INDEX, CHANNELS
from cstalk_bridge.outputs.metahuman.messages import CONTROLS, HEAD_POSE
from cstalk_bridge.rig.curves import HEAD_AXES, Frame, load_table, neutral_board, parse_source
from cstalk_bridge.rig.load import load_rigmap, shipped_names

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "CTRL_expressions_"
FOUR_LIPS = ("UL", "UR", "DL", "DR")
WRINKLES = {f"{PREFIX}noseWrinkleUpper{side}": 1.0 for side in "LR"}

# A stock MetaHuman's own pose asset: which raw curves one ARKit value shows, and how strongly.
# `?` stands for the side, `Left` or `Right`; residues below 0.1 are artefacts and left out.
POSES: dict[str, dict[str, float]] = {
    "EyeBlink?": {"eyeBlink?": 1},
    "EyeLookDown?": {"eyeLookDown?": 1},
    "EyeLookUp?": {"eyeLookUp?": 1},
    "EyeLookInLeft": {"eyeLookRightL": 1},
    "EyeLookOutLeft": {"eyeLookLeftL": 1},
    "EyeLookInRight": {"eyeLookLeftR": 1},
    "EyeLookOutRight": {"eyeLookRightR": 1},
    "EyeSquint?": {"eyeSquintInner?": 1},
    "EyeWide?": {"eyeWiden?": 1},
    "JawForward": {"jawFwd": 0.999},
    "JawLeft": {"jawLeft": 1},
    "JawRight": {"jawRight": 1},
    "JawOpen": {"jawOpen": 1},
    "MouthFunnel": {f"mouthFunnel{lip}": 1 for lip in FOUR_LIPS},
    "MouthPucker": {
        **{f"mouthLipsPurse{lip}": 1 for lip in FOUR_LIPS},
        **{f"mouthFunnel{lip}": 0.752 for lip in FOUR_LIPS},
        **{f"mouthLipsTowards{lip}": 0.412 for lip in FOUR_LIPS},
    },
    "MouthLeft": {"mouthLeft": 1},
    "MouthRight": {"mouthRight": 1},
    "MouthSmile?": {"mouthCornerPull?": 1},
    "MouthFrown?": {"mouthCornerDepress?": 1},
    "MouthDimple?": {"mouthDimple?": 1},
    "MouthStretch?": {"mouthStretch?": 1},
    "MouthRollLower": {
        **{f"mouthLowerLipRollIn{side}": 1 for side in "LR"},
        **{f"mouthUpperLipRollIn{side}": 0.499 for side in "LR"},
    },
    "MouthRollUpper": {f"mouthUpperLipRollIn{side}": 0.998 for side in "LR"},
    "MouthShrugLower": {"jawChinRaiseDL": 1, "jawChinRaiseDR": 1},
    "MouthShrugUpper": {"jawChinRaiseUL": 1, "jawChinRaiseUR": 1},
    "MouthPress?": {"mouthPressU?": 1, "mouthPressD?": 1},
    "MouthLowerDown?": {"mouthLowerLipDepress?": 1},
    "MouthUpperUp?": {"mouthUpperLipRaise?": 1},
    "BrowDown?": {"browDown?": 1},
    "BrowInnerUp": {f"brow{part}{side}": 1 for part in ("Lateral", "RaiseIn") for side in "LR"},
    "BrowOuterUp?": {"browRaiseIn?": 1, "browRaiseOuter?": 1},
    "CheekPuff": {f"mouth{part}Blow{side}": 1 for part in ("Cheek", "Lips") for side in "LR"},
    "CheekSquint?": {"eyeCheekRaise?": 1},
    "NoseSneer?": {"noseWrinkle?": 1},
    "TongueOut": {"tongueOut": 0.769, "tongueDown": 0.826, "tongueWide": 0.628},
}


def both_sides(**channels: float) -> dict[str, float]:
    """Channels as `mouth_stretch=0.3` (left and right) or `C_jaw=0.5` (centre), all on `.ty`."""
    named: dict[str, float] = {}
    for label, value in channels.items():
        sides = [""] if label.startswith("C_") else ["L_", "R_"]
        named |= {f"CTRL_{side}{label}.ty": value for side in sides}
    return named


def lips(label: str, value: float) -> dict[str, float]:
    return both_sides(**{f"mouth_{label}U": value, f"mouth_{label}D": value})


SPEECH: dict[str, tuple[dict[str, float], float]] = {
    # pose: the board, and the largest error of any raw curve that a stock MetaHuman then shows
    "ah": (
        both_sides(C_jaw=0.6, mouth_lowerLipDepress=0.2, mouth_upperLipRaise=0.1),
        0.001,
    ),
    "ee": (both_sides(C_jaw=0.2, mouth_stretch=0.5, mouth_dimple=0.2), 0.001),
    "oo": (
        both_sides(C_jaw=0.15) | lips("purse", 0.7) | lips("funnel", 0.6) | lips("towards", 0.3),
        0.01,
    ),
    "oh": (both_sides(C_jaw=0.4) | lips("funnel", 0.7) | lips("purse", 0.2), 0.09),
    "p": (both_sides(C_jaw=0.12, jaw_ChinRaiseD=0.2) | lips("lipsTogether", 0.9), 0.001),
    "m, rolled": (
        both_sides(C_jaw=0.08, mouth_lipsRollD=0.4, mouth_lipsRollU=0.3)
        | lips("lipsTogether", 0.8),
        0.002,
    ),
    "smile": (
        both_sides(mouth_cornerPull=0.8, eye_cheekRaise=0.5, eye_squintInner=0.2, eye_blink=0.3),
        0.001,
    ),
    "sad": (
        both_sides(brow_raiseIn=0.7, brow_lateral=0.5, mouth_cornerDepress=0.4, eye_blink=-0.2),
        0.08,
    ),
    "surprised": (
        both_sides(brow_raiseIn=0.8, brow_raiseOut=0.8, eye_blink=-0.5, C_jaw=0.3),
        0.001,
    ),
}


def frame_of(channels: dict[str, float]) -> Frame:
    frame = Frame(0.0)
    for name, value in channels.items():
        frame.board[CHANNEL_INDEX[name]] = value
    return frame


def raw_curves(frame: Frame) -> dict[str, float]:
    rigmap = load_rigmap("metahuman")
    return dict(zip(rigmap.outputs, map(float, rigmap.apply(frame)), strict=True))


def shown_by_a_stock_metahuman(arkit: dict[str, float]) -> dict[str, float]:
    shown: dict[str, float] = defaultdict(float)
    for name, pose in POSES.items():
        for label, letter in (("Left", "L"), ("Right", "R")) if "?" in name else (("", ""),):
            for curve, weight in pose.items():
                target = PREFIX + curve.replace("?", letter)
                shown[target] += weight * arkit[name.replace("?", label)]
    together = min(1.0, arkit["MouthClose"] / arkit["JawOpen"]) if arkit["JawOpen"] > 0 else 0.0
    least = WRINKLES | {f"{PREFIX}mouthLipsTogether{lip}": together for lip in FOUR_LIPS}
    for name, value in least.items():
        shown[name] = max(shown[name], value)
    return dict(shown)


def errors_after_arkit(frame: Frame) -> dict[str, float]:
    rigmap = load_rigmap("livelinkface61")
    arkit = dict(zip(rigmap.outputs, map(float, rigmap.apply(frame)), strict=True))
    shown = shown_by_a_stock_metahuman(arkit)
    return {name: shown.get(name, 0.0) - value for name, value in raw_curves(frame).items()}


def test_the_poses_name_real_curves() -> None:
    arkit, raw = load_table("livelinkface61").by_name, load_table("metahuman").by_name
    names = {n.replace("?", side) for n in POSES for side in ("Left", "Right")}
    assert names == set(list(arkit)[:52]) - {"MouthClose"}
    for pose in POSES.values():
        assert {PREFIX + curve.replace("?", "L") for curve in pose} <= set(raw)


@pytest.mark.parametrize("pose", SPEECH)
def test_a_stock_metahuman_shows_the_board_within_tolerance(pose: str) -> None:
    channels, bound = SPEECH[pose]
    errors = errors_after_arkit(frame_of(channels))
    worst = max(errors, key=lambda name: abs(errors[name]))
    print(f"{pose}: {worst.removeprefix(PREFIX)} {errors[worst]:+.3f}")
    assert abs(errors[worst]) <= bound


def test_a_lip_bite_becomes_a_rolled_lower_lip_below_a_raised_upper_lip() -> None:
    errors = errors_after_arkit(frame_of(both_sides(C_jaw=0.1, mouth_lipBiteD=0.6)))
    moved = {name.removeprefix(PREFIX): e for name, e in errors.items() if abs(e) > 0.001}
    for side in "LR":
        assert moved.pop(f"mouthLowerLipBite{side}") == pytest.approx(-0.6), (
            "ARKit has no curve for it"
        )
        assert moved.pop(f"mouthLowerLipRollIn{side}") == pytest.approx(0.48, abs=1e-3)
        assert moved.pop(f"mouthUpperLipRaise{side}") == pytest.approx(0.18, abs=1e-3)
        assert moved.pop(f"mouthUpperLipRollIn{side}") == pytest.approx(0.24, abs=1e-3)
    assert not moved


def test_closed_lips_stay_closed_when_a_tweak_opens_the_jaw_wider(tmp_path: Path) -> None:
    path = tmp_path / "hero.yaml"
    path.write_text("extends: livelinkface61\ncurves:\n  JawOpen: {gain: 1.5}\n")
    rigmap = load_rigmap(path)
    frame = frame_of(both_sides(C_jaw=0.2) | lips("lipsTogether", 0.9))
    arkit = dict(zip(rigmap.outputs, rigmap.apply(frame), strict=True))
    assert arkit["JawOpen"] == pytest.approx(0.3)
    assert arkit["MouthClose"] / arkit["JawOpen"] == pytest.approx(0.9)


def test_every_half_of_every_channel_drives_its_raw_curve() -> None:
    rigmap = load_rigmap("metahuman")
    assert rigmap.outputs == CONTROLS
    used: Counter[str] = Counter()
    phased = {"CTRL_L_mouth_lipSticky.ty": 3, "CTRL_R_mouth_lipSticky.ty": 3}
    phased |= {"CTRL_C_neck_swallow.ty": 4}
    for rule in rigmap.ruleset.rules.values():
        used.update(parse_source(name).name for name in rule.config.sources)
    halves = {c.name: ("+", "-") if c.minimum < 0 else ("",) for c in CHANNELS}
    expected = {
        name + half: phased.get(name, 1) for name, signs in halves.items() for half in signs
    }
    assert used == expected


@pytest.mark.parametrize(
    ("channel", "value", "curve"),
    [
        ("CTRL_C_jaw.tx", -1, "jawLeft"),
        ("CTRL_C_mouth.tx", 1, "mouthLeft"),
        ("CTRL_C_jaw_fwdBack.ty", -1, "jawFwd"),
        ("CTRL_L_eye_blink.ty", -1, "eyeWidenL"),
        ("CTRL_L_eye_eyelidU.ty", -1, "eyeUpperLidUpL"),
        ("CTRL_C_tongue_inOut.ty", -1, "tongueOut"),
        ("CTRL_C_teeth_fwdBackU.ty", -1, "teethFwdU"),
        ("CTRL_L_mouth_lipsRollD.ty", 1, "mouthLowerLipRollInL"),
        ("CTRL_L_mouth_lipSticky.ty", 0.33, "mouthLipsStickyLPh1"),
        ("CTRL_L_mouth_lipSticky.ty", 0.66, "mouthLipsStickyLPh2"),
        ("CTRL_L_mouth_lipSticky.ty", 1, "mouthLipsStickyLPh3"),
        ("CTRL_C_neck_swallow.ty", 0.6, "neckSwallowPh3"),
    ],
)
def test_signs_and_phases_of_the_board(channel: str, value: float, curve: str) -> None:
    rest = raw_curves(Frame(0.0))
    shown = raw_curves(frame_of({channel: value}))
    moved = {name: v for name, v in shown.items() if abs(v - rest[name]) > 1e-5}
    assert moved == pytest.approx({PREFIX + curve: 1.0}, abs=1e-5)


def test_signs_of_gaze_and_head_in_a_packet() -> None:
    rigmap = load_rigmap("livelinkface61")
    frame = frame_of({"CTRL_L_eye.tx": 1, "CTRL_R_eye.tx": 1, "CTRL_L_eye.ty": -1})
    frame.head[HEAD_AXES.index("yaw")] = 0.3
    arkit = dict(zip(rigmap.outputs, map(float, rigmap.apply(frame)), strict=True))
    moved = {name: round(value, 3) for name, value in arkit.items() if value}
    assert moved == {
        "EyeLookOutLeft": 1.0,
        "EyeLookInRight": 1.0,
        "EyeLookDownLeft": 1.0,
        "LeftEyeYaw": -0.61,
        "RightEyeYaw": -0.61,
        "LeftEyePitch": 0.61,
        "HeadYaw": 0.3,
    }


def test_vrm_vowels_take_turns() -> None:
    rigmap = load_rigmap("vrm")
    loudest = {"ah": "aa", "ee": "ee", "oo": "ou", "oh": "oh", "smile": "happy", "sad": "sad"}
    for pose, expected in loudest.items():
        values = rigmap.apply(frame_of(SPEECH[pose][0]))
        emotions = {"happy", "sad", "angry", "surprised"}
        group = emotions if expected in emotions else {"aa", "ih", "ou", "ee", "oh"}
        named = {n: v for n, v in zip(rigmap.outputs, values, strict=True) if n in group}
        assert max(named, key=named.__getitem__) == expected, (pose, named)
    closed = dict(zip(rigmap.outputs, rigmap.apply(frame_of(SPEECH["p"][0])), strict=True))
    assert closed["aa"] == 0.0


AT_REST = {
    "arkit": {},
    "livelinkface61": {},
    "vrm": {},
    "metahuman": WRINKLES,
    "metahuman_device": {**WRINKLES, "HeadTranslationX": 0.01},
    "metahuman_animation": {**WRINKLES, "HeadControlSwitch": 1.0},
}


@pytest.mark.parametrize("name", shipped_names())
def test_a_face_at_rest_is_at_rest(name: str) -> None:
    rigmap = load_rigmap(name)
    shown = dict(zip(rigmap.outputs, rigmap.apply(Frame(0.0)).tolist(), strict=True))
    assert {curve: value for curve, value in shown.items() if value} == pytest.approx(AT_REST[name])
    np.testing.assert_array_equal(rigmap.rest, rigmap.apply(Frame(0.0)))


def test_curves_that_rest_above_0_are_sent_even_where_a_map_removes_them(tmp_path: Path) -> None:
    path = tmp_path / "hero.yaml"
    path.write_text(f"extends: metahuman\ncurves:\n  {PREFIX}noseWrinkleUpperL: null\n")
    rigmap = load_rigmap(path)
    assert rigmap.outputs == load_rigmap("metahuman").outputs
    assert rigmap.rest[rigmap.outputs.index(f"{PREFIX}noseWrinkleUpperL")] == 1.0
    assert rigmap.warnings, "the other side still listens to the board"


@pytest.mark.parametrize(
    ("turn", "roll_pitch_yaw"),
    [("yaw", (10, 0, 0)), ("pitch", (0, 0, -10)), ("roll", (0, 10, 0))],
    ids=["own left", "up", "right shoulder"],
)
@pytest.mark.parametrize("name", ["metahuman_device", "metahuman_animation"])
def test_a_head_turns_in_the_axes_of_its_bone(
    name: str, turn: str, roll_pitch_yaw: tuple[float, float, float]
) -> None:
    frame = Frame(0.0)
    frame.head[HEAD_AXES.index(turn)] = np.radians(10)
    rigmap = load_rigmap(name)
    shown = dict(zip(rigmap.outputs, rigmap.apply(frame).tolist(), strict=True))
    assert [shown[n] for n in HEAD_POSE[:3]] == pytest.approx(roll_pitch_yaw, abs=1e-4)


def test_a_head_moves_as_a_camera_in_front_of_it_sees_it() -> None:
    frame = Frame(0.0)
    frame.head[3:] = 1.0, 2.0, 3.0  # own left, up, forward
    for name, rest in (("metahuman_device", 0.01), ("metahuman_animation", 0.0)):
        rigmap = load_rigmap(name)
        shown = dict(zip(rigmap.outputs, rigmap.apply(frame).tolist(), strict=True))
        assert [shown[n] for n in HEAD_POSE[3:]] == pytest.approx([-3.0 + rest, 1.0, 2.0])


def test_generator_output_reaches_the_packet_where_arkit_has_a_curve_for_it() -> None:
    rigmap = load_rigmap("livelinkface61")
    rest = rigmap.apply(frame_of({"CTRL_C_jaw.ty": 0.5}))
    silent = set()
    for channel in AUDIO_DRIVEN:
        frames = [frame_of({"CTRL_C_jaw.ty": 0.5, channel: value}) for value in (-1.0, 1.0)]
        if all(np.array_equal(rigmap.apply(frame), rest) for frame in frames):
            silent.add(channel.removeprefix("CTRL_").replace("L_", "").replace("R_", ""))
    assert silent == {
        "C_tongue_move.tx",
        "C_tongue_move.ty",
        "C_tongue_press.ty",
        "C_tongue_roll.ty",
        "C_tongue_thickThin.ty",
        "C_tongue_tipMove.tx",
        "C_tongue_tipMove.ty",
        "C_tongue_wideNarrow.ty",
        "mouth_cornerSharpnessD.ty",
        "mouth_cornerSharpnessU.ty",
        "mouth_pushPullD.ty",
        "mouth_pushPullU.ty",
        "nose.tx",
        "nose_nasolabialDeepen.ty",
    }


def looking_left_and_up() -> Frame:
    """A face which turns eyes and head to its left and up, and its head to its right shoulder."""
    numbers = np.array([20.0, 6.0, 0.0, 0.0, 0.0], dtype=np.float32)
    head = np.array([0.2, 0.1, 0.05, 1.0, 2.0, 3.0], dtype=np.float32)
    return Frame(0.0, overlay(neutral_board(), numbers), head)


def test_eyes_and_head_turn_the_same_way_in_every_map() -> None:
    def values(name: str) -> dict[str, float]:
        rigmap = load_rigmap(name)
        return dict(zip(rigmap.outputs, rigmap.apply(looking_left_and_up()).tolist(), strict=True))

    arkit = values("livelinkface61")
    left = ("EyeLookOutLeft", "EyeLookInRight")
    assert [arkit[name] for name in left] == pytest.approx([0.5, 0.5])
    assert arkit["EyeLookInLeft"] == arkit["EyeLookOutRight"] == 0.0
    assert arkit["EyeLookUpLeft"] == arkit["EyeLookUpRight"] == pytest.approx(0.2)
    # A phone's eyes turn to the subject's right and down; its head to its left and up.
    assert arkit["LeftEyeYaw"] == arkit["RightEyeYaw"] == pytest.approx(-0.305)
    assert arkit["LeftEyePitch"] == arkit["RightEyePitch"] == pytest.approx(-0.122)
    assert [arkit[f"Head{turn}"] for turn in ("Yaw", "Pitch", "Roll")] == pytest.approx(
        [0.2, 0.1, 0.05]
    )
    raw = values("metahuman_device")
    for side in "LR":
        assert raw[f"CTRL_expressions_eyeLookLeft{side}"] == pytest.approx(0.5)
        assert raw[f"CTRL_expressions_eyeLookRight{side}"] == 0.0
        assert raw[f"CTRL_expressions_eyeLookUp{side}"] == pytest.approx(0.2)
    pose = [raw[name] for name in HEAD_POSE]
    assert pose == pytest.approx([*np.degrees([0.2, 0.05, -0.1]), -2.99, 1.0, 2.0], rel=1e-5)
    presets = values("vrm")
    assert presets["lookLeft"] == pytest.approx(0.5)
    assert presets["lookUp"] == pytest.approx(0.2)
    assert presets["lookRight"] == presets["lookDown"] == 0.0
