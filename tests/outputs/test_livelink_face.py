"""The Live Link Face packet: layout, round trips, limits, hostile bytes."""

import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cstalk_bridge.outputs.link import MAX_FRAME, MAX_SUBJECT_BYTES, device_id, subject_fault
from cstalk_bridge.outputs.livelink_face import (
    MAX_DATAGRAM_BYTES,
    VALUE_COUNT,
    LiveLinkFaceEncoder,
    decode,
    encode,
)
from cstalk_bridge.timecode.smpte import FRAME_RATES, FrameRate

ID = "12345678-90AB-CDEF-1234-567890ABCDEF"
RATES = st.sampled_from(sorted(FRAME_RATES.values(), key=lambda rate: rate.name))
SUBJECTS = st.text(min_size=1, max_size=80).filter(lambda text: subject_fault(text) is None)
FACES = arrays(np.float32, VALUE_COUNT, elements=st.floats(-4, 4, width=32))
VALID = encode(ID, "VoiceFace", 5375735, 0.25, FRAME_RATES["60"], np.linspace(0, 1, 61))


def test_bytes_are_those_of_the_layout() -> None:
    expected = (
        bytes.fromhex("06 00000024")
        + ID.encode()
        + bytes.fromhex(
            "00000009 56 6f 69 63 65 46 61 63 65 005206f7 3e800000 0000003c 00000001 3d"
        )
        + struct.pack(">61f", *np.linspace(0, 1, 61))
    )
    assert len(expected) == 315
    assert expected == VALID


@given(SUBJECTS, st.integers(0, MAX_FRAME), st.floats(0, 1, exclude_max=True), RATES, FACES)
@example("x", 0, 0.9999999999, FRAME_RATES["60"], np.zeros(61, np.float32))
def test_round_trip(
    subject: str, frame: int, subframe: float, rate: FrameRate, values: np.ndarray
) -> None:
    identity = device_id(subject)
    packet = decode(encode(identity, subject, frame, subframe, rate, values))
    assert (packet.device_id, packet.subject, packet.frame) == (identity, subject, frame)
    assert packet.subframe == pytest.approx(subframe, abs=1e-7)
    assert packet.subframe < 1.0
    assert (packet.rate_numerator, packet.rate_denominator) == (rate.numerator, rate.denominator)
    assert packet.values is not None
    np.testing.assert_array_equal(packet.values, values)


@given(SUBJECTS, st.integers(0, MAX_FRAME))
def test_a_packet_without_a_face_ends_after_the_rate(subject: str, frame: int) -> None:
    datagram = encode(ID, subject, frame, 0.5, FRAME_RATES["29.97df"], None)
    assert len(datagram) == 25 + 36 + len(subject.encode())
    packet = decode(datagram)
    assert packet.values is None
    assert (packet.rate_numerator, packet.rate_denominator) == (30000, 1001)


@given(st.binary(max_size=900))
def test_any_bytes_decode_or_give_a_value_error(datagram: bytes) -> None:
    with suppress(ValueError):
        decode(datagram)


@given(
    st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), max_size=6),
    st.integers(0, len(VALID)),
    st.binary(max_size=20),
)
def test_damaged_packets_decode_or_give_a_value_error(
    changes: list[tuple[int, int]], length: int, tail: bytes
) -> None:
    damaged = bytearray(VALID)
    for place, byte in changes:
        damaged[place] = byte
    with suppress(ValueError):
        packet = decode(bytes(damaged[:length]) + tail)
        assert packet.values is None or np.isfinite(packet.values).all()
        assert 0.0 <= packet.subframe < 1.0


def edited(place: int, replacement: bytes) -> bytes:
    return VALID[:place] + replacement + VALID[place + len(replacement) :]


@pytest.mark.parametrize(
    ("datagram", "message"),
    [
        (b"", "version missing, not 6"),
        (edited(0, b"\x05"), "version 5, not 6"),
        (edited(1, b"\xff\xff\xff\xff"), "string of -1 bytes at 5 of 315"),
        (edited(1, b"\x7f\xff\xff\xff"), "string of 2147483647 bytes at 5 of 315"),
        (edited(5, b"\xff"), "string at 5 is not UTF-8"),
        (VALID[:3], "3 bytes, too short for a string length at 1"),
        (VALID[:60], "60 bytes, too short for a frame time at 54"),
        (edited(58, struct.pack(">f", 1.0)), "subframe 1.0"),
        (edited(58, struct.pack(">f", np.nan)), "subframe nan"),
        (edited(62, bytes(4)), "frame rate 0/1"),
        (edited(66, b"\xff\xff\xff\xff"), "frame rate 60/-1"),
        (edited(70, b"\x3c"), "60 values in 244 bytes, not 61"),
        (VALID[:-1], "61 values in 243 bytes"),
        (VALID + b"\0", "61 values in 245 bytes"),
        (edited(71 + 4 * 17, struct.pack(">f", np.inf)), "value 17 of 61 is inf"),
        (VALID + bytes(MAX_DATAGRAM_BYTES), "1089 bytes, more than 774"),
    ],
)
def test_hostile_packets_are_refused_with_the_number(datagram: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(datagram)


@pytest.mark.parametrize(
    ("frame", "subframe", "values", "message"),
    [
        (-1, 0.0, np.zeros(61), "frame -1"),
        (MAX_FRAME + 1, 0.0, np.zeros(61), "frame 2147483648"),
        (0, 1.0, np.zeros(61), "subframe 1.0"),
        (0, np.nan, np.zeros(61), "subframe nan"),
        (0, 0.0, np.zeros(60), "shape"),
        (0, 0.0, np.full(61, np.nan), "value 0 of 61 is nan"),
    ],
)
def test_the_encoder_refuses_what_no_receiver_could_read(
    frame: int, subframe: float, values: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        LiveLinkFaceEncoder(ID, "Face", FRAME_RATES["60"]).encode(frame, subframe, values)


def test_the_longest_subject_name_is_received() -> None:
    for longest in ("x" * MAX_SUBJECT_BYTES, "é" * (MAX_SUBJECT_BYTES // 2)):
        datagram = encode(ID, longest, 0, 0.0, FRAME_RATES["60"], np.zeros(61))
        assert len(datagram) == 562 <= MAX_DATAGRAM_BYTES
        assert decode(datagram).subject == longest
        assert (
            subject_fault(longest + "x")
            == "subject name of 257 bytes in UTF-8, at most 256 are possible"
        )


@pytest.mark.parametrize("subject", ["", "  ", "a\0b", "a\nb", "\ud800", "x" * 257])
def test_an_invalid_subject_name_is_refused(subject: str) -> None:
    assert subject_fault(subject)
    with pytest.raises(ValueError, match="subject name"):
        LiveLinkFaceEncoder(ID, subject, FRAME_RATES["60"])


def test_an_oversized_datagram_is_refused() -> None:
    with pytest.raises(ValueError, match="datagrams of 775 bytes, at most 774"):
        LiveLinkFaceEncoder("x" * 249, "y" * 256, FRAME_RATES["60"])


def test_the_device_id_is_one_stable_upper_case_uuid_per_subject_and_host() -> None:
    assert device_id("Ada", "stage") == "F730DF92-E861-5A9A-B1ED-26B60B2FD9A7"
    assert device_id("Ada") == device_id("Ada")
    identities = {device_id(subject, host) for subject in ("Ada", "Ben") for host in ("a", "b")}
    assert len(identities) == 4
    assert all(len(identity) == 36 and identity == identity.upper() for identity in identities)
