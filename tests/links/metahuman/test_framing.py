"""Packets out of a stream: in any pieces, none beyond its size, nothing that is none."""

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.links.metahuman.framing import (
    MAX_PAYLOAD_BYTES,
    FramingError,
    Packet,
    Unpacker,
    pack,
)

PACKETS = st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=200)), max_size=8)


def test_bytes_are_those_of_the_layout() -> None:
    payload = '{"é":1}'.encode()
    expected = b"CPSCONTROL\x00" + struct.pack("<HI", 3, 8) + payload
    assert pack(payload, 3) == expected
    assert len(expected) == 25


@given(PACKETS, st.lists(st.integers(0, 1200), max_size=30))
def test_packets_are_the_same_in_whatever_pieces_they_come(
    sent: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    stream = b"".join(pack(payload, version) for version, payload in sent)
    places = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    unpacker = Unpacker()
    got = [
        packet
        for start, end in itertools.pairwise(places)
        for packet in unpacker.feed(stream[start:end])
    ]
    assert got == [Packet(version, payload) for version, payload in sent]


@given(st.binary(min_size=1, max_size=400))
def test_any_bytes_give_packets_or_a_framing_error(stream: bytes) -> None:
    unpacker = Unpacker(maximum=64)
    try:
        for place in range(len(stream)):
            for packet in unpacker.feed(stream[place : place + 1]):
                assert len(packet.payload) <= 64
    except FramingError:
        return
    magic = b"CPSCONTROL\x00"
    assert stream[: len(magic)] == magic[: len(stream)]


def test_what_is_no_packet_is_told_at_its_first_byte_after_the_packets_before() -> None:
    unpacker = Unpacker()
    packets = unpacker.feed(pack(b"one") + pack(b"two") + b"G")
    assert [next(packets).payload, next(packets).payload] == [b"one", b"two"]
    with pytest.raises(FramingError, match="begins with b'G'"):
        next(packets)


def test_a_payload_that_is_too_large_is_refused_before_it_comes() -> None:
    header = b"CPSCONTROL\x00" + struct.pack("<HI", 1, MAX_PAYLOAD_BYTES + 1)
    with pytest.raises(FramingError, match="payload of 65537 bytes, more than 65536"):
        list(Unpacker().feed(header))
    largest = bytes(MAX_PAYLOAD_BYTES)
    assert list(Unpacker().feed(pack(largest))) == [Packet(1, largest)]
