"""Our codec against the bytes of a real phone."""

import numpy as np
import pytest

from cstalk_bridge.outputs.livelink_face import decode, encode
from cstalk_bridge.timecode.smpte import FrameRate
from tests.conformance.captures import DATA, read_datagrams

CAPTURE = DATA / "captures" / "livelinkface_arkit_v6.packets"


@pytest.fixture(scope="module")
def datagrams() -> list[bytes]:
    if not CAPTURE.is_file():
        pytest.skip(f"no device capture at {CAPTURE}; set CSTALK_DATA to the data folder")
    return read_datagrams(CAPTURE)


def test_every_phone_datagram_is_re_encoded_byte_for_byte(datagrams: list[bytes]) -> None:
    assert len(datagrams) == 567
    faces = 0
    for datagram in datagrams:
        packet = decode(datagram)
        faces += packet.values is not None
        rate = FrameRate("device", packet.rate_numerator, packet.rate_denominator)
        again = encode(
            packet.device_id, packet.subject, packet.frame, packet.subframe, rate, packet.values
        )
        assert again == datagram
    assert faces == 560


def test_phone_datagrams_decode_to_a_face(datagrams: list[bytes]) -> None:
    packets = [packet for packet in map(decode, datagrams) if packet.values is not None]
    values = np.stack([packet.values for packet in packets if packet.values is not None])
    assert {packet.subject for packet in packets} == {packets[0].subject}
    assert {(packet.rate_numerator, packet.rate_denominator) for packet in packets} == {(60, 1)}
    assert values[:, :52].min() >= 0.0
    assert values[:, :52].max() <= 1.0 + 1e-6
    assert np.abs(values[:, 52:]).max() < np.pi / 2, "rotations are radians"
    steps = np.diff([packet.frame for packet in packets])
    assert np.median(steps) == 1
