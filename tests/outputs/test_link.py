"""Links send only finite float32 values of the right shape, and a face at rest at the end."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cstalk_bridge.outputs.link import MAX_FRAME, Link, checked_float32, replace_nonfinite
from cstalk_bridge.outputs.livelink_face import LiveLinkFaceEncoder, LiveLinkFaceLink, decode
from cstalk_bridge.outputs.osc import OscLink
from cstalk_bridge.outputs.osc_messages import BundleTemplate, Message, decode_packet
from cstalk_bridge.outputs.udp import UdpTargets
from cstalk_bridge.timecode.smpte import FRAME_RATES
from cstalk_bridge.timecode.tick import Tick
from tests.outputs.receiving import Receiver, receiver


@given(arrays(np.float64, st.integers(0, 70), elements=st.floats(allow_nan=True)))
def test_values_that_are_not_finite_float32_become_0_and_are_counted(values: np.ndarray) -> None:
    finite, replaced = replace_nonfinite(values)
    assert finite.dtype == np.float32
    assert np.isfinite(finite).all()
    with np.errstate(over="ignore"):
        expected = values.astype(np.float32)
    is_finite = np.isfinite(expected)
    assert replaced == np.count_nonzero(~is_finite)
    np.testing.assert_array_equal(finite[is_finite], expected[is_finite])
    assert not finite[~is_finite].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_checked_float32_names_the_value_that_is_not_finite(bad: float) -> None:
    values = np.zeros(61)
    values[17] = bad
    with pytest.raises(ValueError, match="value 17 of 61 is"):
        checked_float32(values, 61)


@pytest.mark.parametrize("shape", [(60,), (62,), (1, 61), ()])
def test_checked_float32_refuses_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"shape .*, not \(61,\)"):
        checked_float32(np.zeros(shape), 61)


Opening = Callable[[Receiver], Link]
ID = "12345678-90AB-CDEF-1234-567890ABCDEF"
FACE = np.linspace(0.1, 1, 61, dtype=np.float32)


def tick(frame: int) -> Tick:
    return Tick(number=frame - 1000, due_s=frame / 60, frame=frame)


def livelink_face(to: Receiver) -> Link:
    encoder = LiveLinkFaceEncoder(ID, "Ada", FRAME_RATES["60"])
    return LiveLinkFaceLink("livelink-face://test", encoder, UdpTargets([to.target]))


def osc(to: Receiver) -> Link:
    addresses = [f"/face/curve{index}" for index in range(61)]
    return OscLink("osc://test", BundleTemplate(addresses), UdpTargets([to.target]))


def test_live_link_face_sends_a_packet_per_tick_and_leaves_the_face_at_rest() -> None:
    with receiver() as unreal:
        link = livelink_face(unreal)
        for frame in range(1000, 1030):
            link.send(FACE, tick(frame))
        assert (link.sent, link.failed) == (30, 0)
        link.close()
        packets = [decode(datagram) for datagram in unreal.all_waiting()]
    assert [packet.frame for packet in packets] == list(range(1000, 1031))
    assert {(packet.device_id, packet.subject) for packet in packets} == {(ID, "Ada")}
    for packet in packets[:-1]:
        np.testing.assert_array_equal(packet.values, FACE)
    np.testing.assert_array_equal(packets[-1].values, np.zeros(61))


def test_osc_sends_every_curve_and_leaves_the_face_at_rest() -> None:
    with receiver() as engine:
        link = osc(engine)
        link.send(FACE, tick(1000))
        link.close()
        messages = [m for datagram in engine.all_waiting() for m in decode_packet(datagram)]
    face = [Message(f"/face/curve{i}", (value,)) for i, value in enumerate(FACE.tolist())]
    rest = [Message(f"/face/curve{i}", (0.0,)) for i in range(61)]
    assert messages == face + rest


@pytest.mark.parametrize("open_one", [livelink_face, osc])
def test_a_face_at_rest_is_not_sent_twice_and_closing_twice_is_once(open_one: Opening) -> None:
    with receiver() as to:
        link = open_one(to)
        link.send(FACE, tick(1000))
        link.neutral(tick(1001))
        sent = link.sent
        link.close()
        link.close()
        assert link.sent == sent
        assert len(to.all_waiting()) == sent


def test_a_link_that_never_sent_sends_no_rest_face() -> None:
    with receiver() as unreal:
        livelink_face(unreal).close()
        assert unreal.all_waiting() == []


def test_values_that_are_not_finite_are_sent_as_0_and_counted() -> None:
    with receiver() as unreal:
        link = livelink_face(unreal)
        link.send(np.where(np.arange(61) % 20 == 7, np.float32(np.nan), FACE), tick(1000))
        packet = decode(unreal.one())
        link.close()
    assert link.not_finite == 3
    assert packet.values is not None
    np.testing.assert_array_equal(packet.values, np.where(np.arange(61) % 20 == 7, 0, FACE))


@pytest.mark.parametrize("open_one", [livelink_face, osc])
def test_values_of_another_shape_raise_and_nothing_is_sent(open_one: Opening) -> None:
    with receiver() as to:
        link = open_one(to)
        with pytest.raises(ValueError, match="shape"):
            link.send(FACE[:60], tick(1000))
        assert to.all_waiting() == []
        assert link.sent == 0
        link.close()


def test_frame_numbers_wrap_after_the_largest() -> None:
    with receiver() as unreal:
        link = livelink_face(unreal)
        link.send(FACE, tick(MAX_FRAME))
        link.send(FACE, tick(MAX_FRAME + 1))
        assert [decode(datagram).frame for datagram in unreal.all_waiting()] == [MAX_FRAME, 0]
        link.close()


def live(to: Receiver) -> LiveLinkFaceLink:
    encoder = LiveLinkFaceEncoder(ID, "Ada", FRAME_RATES["60"])
    return LiveLinkFaceLink("livelink-face://test", encoder, UdpTargets([to.target]))


def test_a_link_that_stops_streaming_leaves_the_face_at_rest_and_can_resume() -> None:
    with receiver() as unreal:
        link = live(unreal)
        link.send(FACE, tick(1000))
        link.is_streaming = False
        for frame in range(1001, 1005):
            link.send(FACE, tick(frame))
        link.is_streaming = True
        link.send(FACE, tick(1005))
        packets = [decode(datagram) for datagram in unreal.all_waiting()]
        link.close()
    assert [packet.frame for packet in packets] == [1000, 1001, 1005]
    assert [bool(np.any(packet.values)) for packet in packets] == [True, False, True]


def test_a_removed_target_is_left_at_rest_and_others_can_follow() -> None:
    with receiver() as before, receiver() as after:
        link = live(before)
        link.send(FACE, tick(1000))
        link.targets.drop_all()
        link.targets.add(after.target)
        link.targets.add(after.target)
        link.send(FACE, tick(1001))
        link.send(FACE, tick(1002))
        assert (link.sent, link.failed) == (4, 0)
        link.close()
        old = [decode(datagram) for datagram in before.all_waiting()]
        new = [decode(datagram) for datagram in after.all_waiting()]
    assert [(p.frame, bool(np.any(p.values))) for p in old] == [(1000, True), (1001, False)]
    assert [p.frame for p in new] == [1001, 1002, 1003]


def test_targets_removed_while_nothing_is_sent_are_closed_with_the_link() -> None:
    with receiver() as unreal:
        link = live(unreal)
        link.targets.drop_all()
        link.close()
        assert unreal.all_waiting() == []


def test_a_renamed_subject_keeps_its_device_id() -> None:
    with receiver() as unreal:
        link = live(unreal)
        link.rename("Grace")
        link.send(FACE, tick(1000))
        (packet,) = [decode(datagram) for datagram in unreal.all_waiting()]
        with pytest.raises(ValueError, match="is empty"):
            link.rename(" ")
        link.close()
    assert (packet.device_id, packet.subject) == (ID, "Grace")
