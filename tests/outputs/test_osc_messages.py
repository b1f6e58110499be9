"""OSC: our bundles against python-osc's builder, the bounds, and hostile bytes."""

import struct
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from cstalk_bridge.outputs.osc_messages import (
    MAX_BUNDLE_BYTES,
    MAX_DATAGRAM_BYTES,
    MAX_DEPTH,
    BundleTemplate,
    Message,
    decode_packet,
)

PARTS = st.text("abcXYZ019_-.!~", min_size=1, max_size=24)
ADDRESSES = st.lists(PARTS, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
ARGUMENTS = st.lists(
    st.one_of(
        st.tuples(st.just("i"), st.integers(-(2**31), 2**31 - 1)),
        st.tuples(st.just("h"), st.integers(-(2**63), 2**63 - 1)),
        st.tuples(st.just("f"), st.floats(width=32, allow_nan=False, allow_infinity=False)),
        st.tuples(st.just("d"), st.floats(allow_nan=False, allow_infinity=False)),
        st.tuples(
            st.just("s"),
            st.text(st.characters(exclude_characters="\0"), max_size=9).filter(
                lambda text: text.isprintable()
            ),
        ),
        st.tuples(st.just("b"), st.binary(min_size=1, max_size=9)),
        st.tuples(st.just("T"), st.just(True)),
        st.tuples(st.just("F"), st.just(False)),
        st.tuples(st.just("N"), st.none()),
    ),
    max_size=6,
)


def peer_message(address: str, arguments: list[tuple[str, Any]]) -> bytes:
    builder = OscMessageBuilder(address)
    for tag, value in arguments:
        builder.add_arg(value, tag)
    return builder.build().dgram


def peer_bundle(addresses: list[str], values: list[float]) -> bytes:
    bundle = OscBundleBuilder(IMMEDIATELY)
    for address, value in zip(addresses, values, strict=True):
        message = OscMessageBuilder(address)
        message.add_arg(value, "f")
        bundle.add_content(message.build())
    return bundle.build().dgram


@given(st.data(), st.lists(ADDRESSES, min_size=1, max_size=60, unique=True))
def test_bundles_equal_those_of_python_osc_byte_for_byte(
    data: st.DataObject, addresses: list[str]
) -> None:
    floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
    values = data.draw(st.lists(floats, min_size=len(addresses), max_size=len(addresses)))
    datagrams = BundleTemplate(addresses).encode(np.array(values, np.float32))
    done = 0
    for datagram in datagrams:
        assert len(datagram) <= MAX_BUNDLE_BYTES
        count = len(decode_packet(datagram))
        assert datagram == peer_bundle(addresses[done : done + count], values[done : done + count])
        done += count
    assert done == len(addresses)


def test_251_curves_fill_as_few_bundles_as_the_bound_allows() -> None:
    addresses = [f"/CTRL_expressions_curve{index:03d}" for index in range(251)]
    values = np.linspace(-1, 1, 251, dtype=np.float32)
    datagrams = BundleTemplate(addresses).encode(values)
    element = 4 + 28 + 4 + 4
    assert [len(datagram) for datagram in datagrams[:-1]] == [16 + 34 * element] * 7
    messages = [message for datagram in datagrams for message in decode_packet(datagram)]
    assert messages == [
        Message(address, (value,))
        for address, value in zip(addresses, values.tolist(), strict=True)
    ]


def test_encoding_does_not_change_the_template() -> None:
    template = BundleTemplate(["/a", "/b"])
    first = template.encode(np.array([1, 2], np.float32))
    template.encode(np.array([3, 4], np.float32))
    assert template.encode(np.array([1, 2], np.float32)) == first


@pytest.mark.parametrize(
    ("addresses", "message"),
    [
        ([], "at least one"),
        (["/a", "/a"], "twice"),
        (["jawOpen"], "not an OSC address"),
        (["/a b"], "not an OSC address"),
        (["/a*"], "not an OSC address"),
        (["/é"], "not an OSC address"),
        (["/a//b"], "not an OSC address"),
        (["/a\n"], "not an OSC address"),
        (["/" + "a" * 1400], "of 1412 bytes"),
    ],
)
def test_an_invalid_address_is_refused_by_the_template(addresses: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BundleTemplate(addresses)


@pytest.mark.parametrize("values", [[0.0], [0.0, np.nan], [np.inf, 0.0], [1e39, 0.0]])
def test_wrong_values_are_not_encoded(values: list[float]) -> None:
    with pytest.raises(ValueError, match="value"):
        BundleTemplate(["/a", "/b"]).encode(np.array(values))


@given(ADDRESSES, ARGUMENTS)
def test_messages_of_python_osc_are_read(address: str, arguments: list[tuple[str, Any]]) -> None:
    expected = Message(address, tuple(value for _, value in arguments))
    assert decode_packet(peer_message(address, arguments)) == [expected]


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_give_a_value_error(datagram: bytes) -> None:
    for packet in (datagram, b"#bundle\0" + bytes(8) + datagram, b"/a\0\0," + datagram):
        with suppress(ValueError):
            decode_packet(packet)


@given(
    st.lists(ADDRESSES, min_size=1, max_size=5, unique=True),
    ARGUMENTS,
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=5),
    st.integers(0, 3),
)
def test_damaged_packets_decode_or_give_a_value_error(
    addresses: list[str],
    arguments: list[tuple[str, Any]],
    changes: list[tuple[int, int]],
    cut: int,
) -> None:
    bundle = BundleTemplate(addresses).encode(np.zeros(len(addresses), np.float32))[0]
    for valid in (bundle, peer_message(addresses[0], arguments)):
        damaged = bytearray(valid)
        for place, byte in changes:
            damaged[place % len(damaged)] = byte
        with suppress(ValueError):
            decode_packet(bytes(damaged[: len(damaged) - cut]))


def nested(depth: int) -> bytes:
    packet = b"/a\0\0,\0\0\0"
    for _ in range(depth):
        packet = b"#bundle\0" + bytes(8) + struct.pack(">i", len(packet)) + packet
    return packet


def test_nested_bundles_are_decoded_to_a_limit() -> None:
    assert decode_packet(nested(MAX_DEPTH)) == [Message("/a", ())]
    with pytest.raises(ValueError, match=f"deeper than {MAX_DEPTH}"):
        decode_packet(nested(MAX_DEPTH + 1))


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (b"", "string at 0 has no end"),
        (b"/abc", "string at 0 has no end"),
        (b"/a\0", "4 bytes at 0 of 3"),
        (b"/a\0b,\0\0\0", "not padded"),
        (b"a\0\0\0,\0\0\0", "does not start with '/'"),
        (b"/a\0\0i\0\0\0", "do not start with ','"),
        (b"/a\0\0,q\0\0", "argument type 'q'"),
        (b"/a\0\0,f\0\0\x7f\x80\0\0", "number inf"),
        (b"/a\0\0,f\0\0\0\0", "4 bytes at 8 of 10"),
        (b"/a\0\0,b\0\0\xff\xff\xff\xff", "blob of -1 bytes"),
        (b"/a\0\0,\0\0\0abcd", "4 bytes after the last argument"),
        (b"#bundle\0" + bytes(8) + b"\0\0\0\x05abcde", "element of 5 bytes"),
        (b"#bundle\0" + bytes(8) + b"\xff\xff\xff\xfc", "element of -4 bytes"),
        (b"#bundle\0abc", "8 bytes at 8 of 11"),
        (bytes(MAX_DATAGRAM_BYTES + 1), "65508 bytes, more than 65507"),
    ],
)
def test_hostile_packets_are_refused_with_the_number(packet: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_packet(packet)


def old_message(address: str) -> bytes:
    """A message of an encoder that predates type tags."""
    return address.encode() + b"\0" * (4 - len(address) % 4)


@pytest.mark.parametrize("address", ["/a", "/abc", "/cstalk/CSTalk/mute"])
def test_a_message_without_type_tags_has_no_arguments(address: str) -> None:
    assert decode_packet(old_message(address)) == [Message(address, ())]
    with pytest.raises(ValueError, match="do not start with ','"):
        decode_packet(old_message(address) + bytes(4))


@pytest.mark.parametrize(
    ("tag", "raw"),
    [("r", b"\xff\x80\0\xff"), ("S", b"symbol\0\0"), ("c", b"\0\0\0x"), ("m", b"\0\x90\x3c\x7f")],
)
def test_unused_argument_types_are_skipped(tag: str, raw: bytes) -> None:
    for tags, data in (
        (f"{tag}fi", raw + b"\x3f\0\0\0" + b"\0\0\0\x07"),
        (f"f{tag}i", b"\x3f\0\0\0" + raw + b"\0\0\0\x07"),
        (f"[f{tag}]i{tag}", b"\x3f\0\0\0" + raw + b"\0\0\0\x07" + raw),
    ):
        packet = b"/a\0\0" + old_message(f",{tags}") + data
        assert decode_packet(packet) == [Message("/a", (0.5, 7))]
    with pytest.raises(ValueError, match=r"bytes at|has no end"):
        decode_packet(b"/a\0\0" + old_message(f",{tag}"))
