"""Datagrams told apart by what they hold, and hostile ones refused in words."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cstalk_bridge.diagnostics.recognition import recognise
from cstalk_bridge.outputs.osc_messages import encode_message
from cstalk_bridge.outputs.stream_frame import MAX_NAME_CHARACTERS, StreamFrame
from tests.diagnostics.datagrams import ARKIT, ID, JAW, livelink_face, metahuman, no_face, osc, vmc


def one(datagram: bytes) -> StreamFrame:
    [sighting] = recognise(datagram)
    return sighting


def test_live_link_face_tells_subject_device_time_and_curves() -> None:
    seen = one(livelink_face(3600 * 60 + 7))
    assert (seen.protocol, seen.subject, seen.device, seen.frames) == (
        "livelink-face", "Ada", ID, 1,
    )  # fmt: skip
    assert seen.time is not None
    assert seen.time.label == "01:00:00:07"
    assert tuple(seen.curves) == ARKIT
    assert seen.curves["JawOpen"] == JAW


def test_a_packet_without_a_face_is_a_frame_without_curves() -> None:
    seen = one(no_face(1))
    assert (seen.frames, seen.curves, seen.note) == (1, {}, "no face")


def test_metahuman_tells_its_raw_curves_and_its_head() -> None:
    seen = one(metahuman(60))
    assert (seen.protocol, seen.subject) == ("metahuman", ID)
    assert len(seen.curves) == 251 + 6
    assert seen.curves["CTRL_expressions_jawOpen"] == pytest.approx(JAW, abs=1e-4)
    assert seen.curves["HeadYaw"] == 12.0
    assert seen.time is not None
    assert seen.time.label == "00:00:01:00"


def test_metahuman_with_controls_declared_elsewhere_numbers_them() -> None:
    assert "control 2" in one(metahuman(0, controls=3)).curves


def test_osc_is_a_subject_for_each_prefix() -> None:
    messages = [encode_message("/a/jaw", 0.5), encode_message("/jaw", 0.25)]
    seen = [one(message) for message in messages]
    assert [(s.protocol, s.subject, s.curves) for s in seen] == [
        ("osc", "/a", {"jaw": 0.5}),
        ("osc", "/", {"jaw": 0.25}),
    ]
    assert [s.subject for s in recognise(osc()[0])] == ["/face"]


def test_osc_conventions_of_phones_are_curves() -> None:
    assert one(encode_message("/W", 17, 0.5)).curves == {"W[17]": 0.5}
    assert one(encode_message("/HR", 1.0, 2.0, 3.0)).curves == {
        "HR[0]": 1.0, "HR[1]": 2.0, "HR[2]": 3.0,
    }  # fmt: skip
    assert one(encode_message("/Slate", "jaw")).curves == {}


def test_vmc_ends_its_frame_with_the_last_datagram() -> None:
    first, last = [one(datagram) for datagram in vmc()]
    assert (first.protocol, first.subject) == ("vmc", "")
    assert (first.frames, last.frames) == (0, 1)
    assert {**first.curves, **last.curves}["jawOpen"] == JAW
    assert first.curves["Head.y"] == pytest.approx(-0.0998, abs=1e-4)


def test_what_receivers_of_vmc_ignore_is_told() -> None:
    assert "integer" in one(encode_message("/VMC/Ext/Blend/Val", "jawOpen", 1)).note
    assert "no model" in one(encode_message("/VMC/Ext/OK", 0)).note
    assert one(encode_message("/VMC/Ext/OK", 1, 3, 0, 1)).note == ""


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", "0 bytes of another protocol, they begin with -"),
        (b"GET / HTTP/1.1", "begin with 47 45 54 20"),
        (livelink_face(1)[:-1], "61 values in 243 bytes"),
        (metahuman(1)[:-1], "controls and a head pose"),
        (b"/a\0\0,f\0\0\0", "4 bytes at 8 of 9"),
        (b"".join(osc())[:20], "4 bytes at 20 of 20|bytes at 20"),
    ],
)
def test_what_is_none_of_them_is_refused_in_words(datagram: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        recognise(datagram)


def test_a_frame_rate_that_is_none_tells_no_time() -> None:
    datagram = bytearray(metahuman(7))
    datagram[48:52] = (5000).to_bytes(4, "little")
    seen = one(bytes(datagram))
    assert (seen.time, seen.note) == (None, "frame rate 5000/1")


VALID = [livelink_face(1), no_face(1), metahuman(1), osc()[0], *vmc()]
CHANGES = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8)


def check(datagram: bytes) -> None:
    reason = ""
    sightings: list[StreamFrame] = []
    try:
        sightings = recognise(datagram)
    except ValueError as error:
        reason = str(error)
    assert reason.isprintable()
    for seen in sightings:
        for name in (seen.subject, seen.device, seen.note, *seen.curves):
            assert name.isprintable()
            assert len(name) <= MAX_NAME_CHARACTERS + len("[-9223372036854775808]")
        assert seen.time is None or seen.time.label


@given(st.sampled_from([b"", b"/", b"#bundle\0" + bytes(8), b"\x06", b"\x01\0"]), st.binary())
@example(b"", encode_message("/VMC/Ext/Blend/Val", "\x1b[2J", 1.0))
def test_any_bytes_are_recognised_or_refused(start: bytes, rest: bytes) -> None:
    check(start + rest)


@given(st.sampled_from(VALID), CHANGES, st.integers(0, 4))
def test_damaged_datagrams_are_recognised_or_refused(
    valid: bytes, changes: list[tuple[int, int]], cut: int
) -> None:
    damaged = bytearray(valid)
    for place, byte in changes:
        damaged[place % len(damaged)] = byte
    check(bytes(damaged[: len(damaged) - cut]))


def test_names_cannot_steer_a_terminal() -> None:
    seen = one(encode_message("/VMC/Ext/Blend/Val", "\x1b]0;owned\x07" + "x" * 99, 1.0))
    [name] = seen.curves
    assert name.startswith("?]0;owned?x")
    assert len(name) == MAX_NAME_CHARACTERS
