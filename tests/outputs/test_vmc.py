"""VMC: the frame's order and bounds, names by rig map, and which way a head turns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.outputs.osc_messages import MAX_BUNDLE_BYTES, Message, decode_packet
from cstalk_bridge.outputs.udp import UdpTargets
from cstalk_bridge.outputs.vmc import (
    HEAD_TURNS,
    VRM0_NAMES,
    VmcEncoder,
    VmcLink,
    head_rotation,
    shape_name,
)
from cstalk_bridge.rig.curves import load_table
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.timecode.smpte import FRAME_RATES
from cstalk_bridge.timecode.tick import Tick
from tests.outputs.receiving import receiver

NAMES = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(lambda name: name not in load_table("livelinkface61").by_name and name not in VRM0_NAMES)


def messages(datagrams: list[bytes]) -> list[Message]:
    return [message for datagram in datagrams for message in decode_packet(datagram)]


def test_a_bundle_starts_with_the_bytes_of_the_specification() -> None:
    [datagram] = VmcEncoder(["jawOpen"]).encode(np.array([0.5], np.float32), 0.0)
    shape = bytes.fromhex(
        "000000242f564d432f4578742f426c656e642f56616c00002c7366006a61774f70656e003f000000"
    )
    assert datagram[:16] == bytes.fromhex("2362756e646c65000000000000000001")
    assert datagram.count(shape) == 1


@pytest.mark.parametrize("rigmap", ["livelinkface61", "vrm", "metahuman"])
def test_all_shapes_precede_the_one_apply_that_ends_the_last_datagram(rigmap: str) -> None:
    outputs = load_rigmap(rigmap).outputs
    encoder = VmcEncoder(outputs)
    values = np.linspace(0.0, 1.0, len(outputs), dtype=np.float32)
    datagrams = encoder.encode(values, 2.5)
    assert all(len(datagram) <= MAX_BUNDLE_BYTES for datagram in datagrams)
    sent = messages(datagrams)
    assert sent[:2] == [Message("/VMC/Ext/OK", (1, 3, 0)), Message("/VMC/Ext/T", (2.5,))]
    assert sent[-1] == Message("/VMC/Ext/Blend/Apply", ())
    shapes = [message for message in sent if message.address == "/VMC/Ext/Blend/Val"]
    assert sent[-1 - len(shapes) : -1] == shapes
    assert len(sent) == 3 + len(shapes) + encoder.turns_head
    assert [message.arguments[0] for message in shapes] == list(encoder.shapes)
    expected = [
        value for name, value in zip(outputs, values.tolist(), strict=True) if shape_name(name)
    ]
    assert [message.arguments[1] for message in shapes] == expected
    assert sum(message.address == "/VMC/Ext/Blend/Apply" for message in sent) == 1


def test_arkit_shapes_are_spelled_as_perfect_sync_does_and_rotations_are_no_shapes() -> None:
    shapes = VmcEncoder(load_rigmap("livelinkface61").outputs).shapes
    assert len(shapes) == 52
    assert shapes[:2] == ("eyeBlinkLeft", "eyeLookDownLeft")
    assert "tongueOut" in shapes


def test_arkit_shapes_are_capitalised_on_request() -> None:
    outputs = load_rigmap("livelinkface61").outputs
    assert VmcEncoder(outputs, casing="pascal").shapes == outputs[:52]
    small = VmcEncoder(outputs).shapes
    assert [name[0].upper() + name[1:] for name in small] == list(outputs[:52])
    assert VmcEncoder(["happy", "own"], casing="pascal").shapes == ("Joy", "own")


def test_no_bone_is_sent_where_none_is_configured() -> None:
    outputs = load_rigmap("vrm").outputs
    values = np.full(len(outputs), 0.5, np.float32)
    encoder = VmcEncoder(outputs, has_bone=False)
    sent = messages(encoder.encode(values, 0.0))
    assert not encoder.turns_head
    assert not any("Bone" in message.address for message in sent)
    assert len(sent) == 3 + len(encoder.shapes)


def test_presets_have_the_names_of_version_0_unless_1_is_requested() -> None:
    outputs = [name for name in load_rigmap("vrm").outputs if name not in HEAD_TURNS]
    assert {"A", "Joy", "Blink_L", "LookUp", "Surprised"} < set(VmcEncoder(outputs).shapes)
    assert VmcEncoder(outputs, "vrm1").shapes == tuple(outputs)
    assert set(VRM0_NAMES) == set(outputs)


@given(st.lists(NAMES, min_size=1, max_size=80, unique=True), st.data())
def test_names_in_any_script_are_received_with_their_values(
    names: list[str], data: st.DataObject
) -> None:
    floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
    values = data.draw(st.lists(floats, min_size=len(names), max_size=len(names)))
    sent = messages(VmcEncoder(names).encode(np.array(values, np.float32), 0.0))
    assert [message.arguments for message in sent[2:-1]] == list(zip(names, values, strict=True))


def turned(rotation: tuple[float, ...], vector: tuple[float, float, float]) -> np.ndarray:
    """Return `vector` turned by a quaternion xyzw: v + 2 u x (u x v + w v)."""
    u, w = np.array(rotation[:3]), rotation[3]
    return np.array(vector) + 2 * np.cross(u, np.cross(u, vector) + w * np.array(vector))


NOSE, CROWN, RIGHT_EAR = (0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)


def test_the_head_bone_turns_as_the_subject_does() -> None:
    assert turned(head_rotation(0.3, 0.0, 0.0), NOSE)[0] < -0.2, "left is -x"
    assert turned(head_rotation(0.0, 0.3, 0.0), NOSE)[1] > 0.2, "up is +y"
    assert turned(head_rotation(0.0, 0.0, 0.3), CROWN)[0] > 0.2, "right shoulder is +x"


@given(*[st.floats(-1.2, 1.2)] * 3)
def test_yaw_and_pitch_are_the_direction_of_the_nose_at_any_roll(
    yaw: float, pitch: float, roll: float
) -> None:
    rotation = head_rotation(yaw, pitch, roll)
    nose = turned(rotation, NOSE)
    expected = (-np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch))
    np.testing.assert_allclose(nose, expected, atol=1e-9)
    assert turned(rotation, RIGHT_EAR)[1] == pytest.approx(-np.sin(roll) * np.cos(pitch))


def test_the_head_bone_follows_its_outputs_and_is_omitted_without_them() -> None:
    values = np.array([0.2, 0.1], np.float32)
    sent = messages(VmcEncoder(["jawOpen", "HeadPitch"]).encode(values, 0.0))
    [bone] = [message for message in sent if message.address == "/VMC/Ext/Bone/Pos"]
    assert bone.arguments[0] == "Head"
    turn = np.array(bone.arguments[4:], float)
    np.testing.assert_allclose(turn, head_rotation(0.0, 0.1, 0.0), atol=1e-7)
    without = messages(VmcEncoder(["jawOpen"]).encode(values[:1], 0.0))
    assert not any(message.address == "/VMC/Ext/Bone/Pos" for message in without)


@pytest.mark.parametrize(
    ("outputs", "fault"),
    [
        ([], "no output is a shape"),
        (["HeadYaw"], "no output is a shape"),
        (["JawOpen", "jawOpen"], "two outputs move the shape 'jawOpen'"),
        (["a\0b"], "holds NUL"),
        (["a" * 1400], "no 1400 B bundle"),
    ],
)
def test_outputs_without_any_frame_are_refused(outputs: list[str], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        VmcEncoder(outputs)


@pytest.mark.parametrize("values", [[0.0], [0.0, np.nan], [np.inf, 0.0]])
def test_wrong_values_are_not_encoded(values: list[float]) -> None:
    with pytest.raises(ValueError, match="value"):
        VmcEncoder(["a", "b"]).encode(np.array(values, np.float32), 0.0)


def test_a_link_counts_time_from_the_first_frame_and_leaves_the_face_at_rest() -> None:
    with receiver() as marionette:
        encoder = VmcEncoder(["jawOpen"])
        targets = UdpTargets([marionette.target])
        link = VmcLink("vmc://test", encoder, FRAME_RATES["50"], targets)
        for number in range(3):
            link.send(np.array([np.nan if number == 1 else 1.0]), Tick(number, 0.0, 900 + number))
        link.close()
        frames = [decode_packet(datagram) for datagram in marionette.all_waiting()]
    assert [frame[1].arguments for frame in frames] == [
        (pytest.approx(number / 50),) for number in range(4)
    ]
    assert [frame[2].arguments[1] for frame in frames] == [1.0, 0.0, 1.0, 0.0]
    assert (link.sent, link.failed, link.not_finite) == (4, 0, 1)
