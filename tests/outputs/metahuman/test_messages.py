"""The wire formats of a MetaHuman device: packets of the stream, messages, and UDP frames."""

import itertools
import json
import struct
import tracemalloc
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cstalk_bridge.outputs.link import MAX_FRAME
from cstalk_bridge.outputs.metahuman.messages import (
    CONTROLS,
    HEAD_POSE,
    MAX_CONTROLS,
    MAX_DATAGRAM_BYTES,
    MAX_ID_BYTES,
    MAX_PAYLOAD_BYTES,
    DeviceRequestError,
    ErrorName,
    FrameEncoder,
    FramingError,
    Incoming,
    MalformedError,
    Packet,
    StreamStartRequest,
    StreamStopRequest,
    TakeStartRequest,
    Unpacker,
    decode,
    error_response,
    pack,
    read_message,
    response,
    update,
)
from cstalk_bridge.timecode.smpte import FRAME_RATES, FrameRate
from tests.outputs.metahuman.unreal import parse_frame

PACKETS = st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=200)), max_size=8)


def test_bytes_are_those_of_the_layout() -> None:
    payload = '{"é":1}'.encode()
    expected = b"CPSCONTROL\x00" + struct.pack("<HI", 3, 8) + payload
    assert pack(payload, 3) == expected
    assert len(expected) == 25


@given(PACKETS, st.lists(st.integers(0, 1200), max_size=30))
def test_packets_are_the_same_however_the_stream_is_split(
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


def test_an_invalid_packet_is_reported_at_its_first_byte_after_the_packets_before() -> None:
    unpacker = Unpacker()
    packets = unpacker.feed(pack(b"one") + pack(b"two") + b"G")
    assert [next(packets).payload, next(packets).payload] == [b"one", b"two"]
    with pytest.raises(FramingError, match="begins with b'G'"):
        next(packets)


def test_an_oversized_payload_is_refused_before_it_arrives() -> None:
    header = b"CPSCONTROL\x00" + struct.pack("<HI", 1, MAX_PAYLOAD_BYTES + 1)
    with pytest.raises(FramingError, match="payload of 65537 bytes, more than 65536"):
        list(Unpacker().feed(header))
    largest = bytes(MAX_PAYLOAD_BYTES)
    assert list(Unpacker().feed(pack(largest))) == [Packet(1, largest)]


REQUEST: dict[str, Any] = {
    "sessionId": "S",
    "addressPath": "/information",
    "transactionId": 1,
    "timestamp": 1700000000000,
    "type": "request",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=12), children, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = st.sampled_from([*REQUEST, "body", "error", "else"])


def payload(**changes: Any) -> bytes:
    message = {k: v for k, v in (REQUEST | changes).items() if v is not ...}
    return json.dumps(message).encode()


def test_a_request_is_decoded() -> None:
    message = read_message(payload(body={"streamPort": 11111}, unknown=[1, {}]))
    assert message == Incoming(
        sessionId="S",
        addressPath="/information",
        transactionId=1,
        type="request",
        body={"streamPort": 11111},
    )


@given(st.text(max_size=40), st.integers(0, 2**32 - 1))
def test_responses_carry_the_session_and_transaction_of_the_request(
    path: str, transaction: int
) -> None:
    request = Incoming(sessionId="S", addressPath=path, transactionId=transaction, type="request")
    known = {
        "sessionId": "S",
        "addressPath": path,
        "transactionId": transaction,
        "timestamp": 7,
        "type": "response",
    }
    assert json.loads(response(request, 7)) == known
    assert json.loads(response(request, 7, {"name": "é"})) == known | {"body": {"name": "é"}}
    refusal = DeviceRequestError(ErrorName.FAILED, "why")
    error = {"name": "requestFailed", "description": "why"}
    assert json.loads(error_response(request, 7, refusal)) == known | {"error": error}


def test_an_update_follows_the_layout() -> None:
    assert json.loads(update("S", "/take/added", 3, 7, {"name": "A_1"})) == {
        "sessionId": "S",
        "addressPath": "/take/added",
        "transactionId": 3,
        "timestamp": 7,
        "type": "update",
        "body": {"name": "A_1"},
    }
    assert "body" not in json.loads(update("S", "/event/session-stopped", 4, 7))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "message: Invalid JSON"),
        (b"{", "message: Invalid JSON"),
        (b"\xff\xfe", "message: Invalid JSON"),
        (b'{"addressPath": "\xff"}', "message: Invalid JSON"),
        (b'"' + b"\\ud800" + b'"', "message: Invalid JSON"),
        (b"[" * 60000, "message: Invalid JSON"),
        (b"[]", "message: Input should be"),
        (payload(addressPath=...), "addressPath: Field required"),
        (payload(transactionId=...), "transactionId: Field required"),
        (payload(transactionId=True), "transactionId: Value error, Input should be a number"),
        (payload(transactionId="7"), "transactionId: Value error, Input should be a number"),
        (payload(transactionId=-1), "transactionId: Input should be greater"),
        (payload(transactionId=2**32), "transactionId: Input should be less"),
        (payload(transactionId=1.5), "transactionId: Input should be a valid integer"),
        (payload(type="question"), "type: Input should be"),
        (payload(body=[]), "body: Input should be"),
        (payload(sessionId="x" * 257), "sessionId: String should have at most 256"),
    ],
)
def test_an_invalid_message_is_refused_with_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read_message(content)
    assert reason in caught.value.description
    assert caught.value.name == "parsingRequestFailed"
    assert len(caught.value.description) <= 500


def test_an_invalid_message_is_answered_under_its_own_transaction() -> None:
    with pytest.raises(MalformedError) as caught:
        read_message(payload(body=[]))
    answer = json.loads(error_response(caught.value.read, 7, caught.value))
    assert (answer["transactionId"], answer["sessionId"]) == (1, "S")
    assert answer["addressPath"] == "/information"
    with pytest.raises(MalformedError) as caught:
        read_message(payload(transactionId="T1"))
    answer = json.loads(error_response(caught.value.read, 7, caught.value))
    assert (answer["transactionId"], answer["sessionId"]) == (0, "S")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_refused(content: bytes) -> None:
    with suppress(MalformedError):
        read_message(content)


@given(st.dictionaries(FIELDS, JSON, max_size=6))
def test_any_json_is_a_message_or_refused_and_can_be_answered(changes: dict[str, Any]) -> None:
    content = json.dumps(REQUEST | changes).encode()
    try:
        message = read_message(content)
    except MalformedError as error:
        json.loads(error_response(error.read, 7, error))
    else:
        json.loads(response(message, 7))


def test_excessive_numbers_are_refused() -> None:
    for number in ("9" * 5000, "1e999", "NaN", "-Infinity"):
        content = payload(body=...).replace(b'Id": 1,', b'Id": ' + number.encode() + b",")
        with pytest.raises(MalformedError):
            read_message(content)


@given(st.dictionaries(st.sampled_from(["streamPort", "subjects", "subjectIds"]), JSON))
def test_any_body_is_read_or_refused(body: dict[str, Any]) -> None:
    for kind in (StreamStartRequest, StreamStopRequest, TakeStartRequest):
        with suppress(DeviceRequestError):
            kind.of(body)


@pytest.mark.parametrize("port", [0, -1, 65536, 1.5, None, "x", [], float("nan")])
def test_a_stream_port_is_a_port(port: object) -> None:
    with pytest.raises(DeviceRequestError) as caught:
        StreamStartRequest.of({"streamPort": port})
    assert caught.value.name == "parsingRequestFailed"
    assert "streamPort" in caught.value.description


def test_valid_bodies_are_accepted() -> None:
    start = StreamStartRequest.of({"streamPort": 54321.0, "subjects": [{"id": "A", "name": "x"}]})
    assert (start.stream_port, start.subjects[0].id) == (54321, "A")
    order = TakeStartRequest.of(
        {"slateName": "Scene", "takeNumber": 3, "tags": ["a"], "subject": "Ada"}
    )
    assert (order.slate_name, order.take_number) == ("Scene", 3)
    with pytest.raises(DeviceRequestError) as caught:
        StreamStartRequest.of(None)
    assert caught.value.name == "missingBody"


@pytest.mark.parametrize("kind", ["request", "no kind of message"])
def test_decoding_keeps_no_memory(kind: str) -> None:
    def read(number: int) -> None:
        message = {
            "sessionId": f"session {number:028}",
            "addressPath": "/state",
            "transactionId": f"transaction {number:024}",
            "type": kind,
            "body": {f"key {number:032}": f"value {number:030}"},
        }
        with suppress(MalformedError):
            read_message(json.dumps(message).encode())

    read(0)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(1000):
            read(number)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 10_000


ID = "12345678-90AB-CDEF-1234-567890ABCDEF"
RATES = st.sampled_from(sorted(FRAME_RATES.values(), key=lambda rate: rate.name))
POSES = arrays(np.float32, 6, elements=st.floats(-180, 180, width=32))
RAMP = np.linspace(0, 1, 251, dtype=np.float32)
VALID = FrameEncoder(ID, FRAME_RATES["60"]).encode(5375735, 0.25, RAMP, np.arange(6))


def test_frame_bytes_are_those_of_the_layout() -> None:
    expected = (
        bytes.fromhex("0100 2400")
        + ID.encode()
        + bytes.fromhex("f7065200 0000803e 3c000000 01000000 fb00")
        + struct.pack("<251H", *(round(65535 * place / 250) for place in range(251)))
        + struct.pack("<6f", *range(6))
    )
    assert len(expected) == 584
    assert expected == VALID


def test_jaw_open_is_at_the_index_of_real_captures() -> None:
    values = np.zeros(251)
    values[CONTROLS.index("CTRL_expressions_jawOpen")] = 1.0
    datagram = FrameEncoder(ID, FRAME_RATES["60"]).encode(0, 0.0, values, np.zeros(6))
    assert CONTROLS.index("CTRL_expressions_jawOpen") == 191
    assert struct.unpack_from("<H", datagram, 440) == (65535,)
    assert sum(parse_frame(datagram).controls) == 65535


def test_the_controls_are_those_of_a_metahuman() -> None:
    assert len(CONTROLS) == len(set(CONTROLS)) == 251
    assert all(control.startswith("CTRL_expressions_") for control in CONTROLS)
    assert "CTRL_expressions_mouthUp" in CONTROLS
    assert not set(CONTROLS) & set(HEAD_POSE)


@given(
    st.text(min_size=1, max_size=64).filter(lambda t: t.isprintable()),
    st.integers(0, MAX_FRAME),
    st.floats(0, 1, exclude_max=True),
    RATES,
    st.integers(1, 300).flatmap(
        lambda count: arrays(np.float32, count, elements=st.floats(0, 1, width=32))
    ),
    POSES,
)
@example("x", 0, 0.9999999999, FRAME_RATES["60"], np.zeros(1, np.float32), np.zeros(6, np.float32))
def test_round_trip(
    identity: str,
    frame: int,
    subframe: float,
    rate: FrameRate,
    values: np.ndarray,
    pose: np.ndarray,
) -> None:
    datagram = FrameEncoder(identity, rate, len(values)).encode(frame, subframe, values, pose)
    ours, theirs = decode(datagram), parse_frame(datagram)
    assert (ours.subject_id, ours.frame) == (theirs.subject, theirs.number) == (identity, frame)
    assert ours.subframe == theirs.subframe == pytest.approx(subframe, abs=1e-7)
    assert 0.0 <= ours.subframe < 1.0
    assert (ours.rate_numerator, ours.rate_denominator) == theirs.rate
    assert theirs.rate == (rate.numerator, rate.denominator)
    np.testing.assert_allclose(ours.values, values, atol=0.5 / 65535 + 1e-7)
    np.testing.assert_allclose(np.array(theirs.controls) / 65535, values, atol=0.5 / 65535 + 1e-7)
    np.testing.assert_array_equal(ours.pose, pose)
    np.testing.assert_array_equal([theirs.roll, theirs.pitch, theirs.yaw, *theirs.location], pose)


def test_values_out_of_range_are_clipped_to_the_limits() -> None:
    encoder = FrameEncoder(ID, FRAME_RATES["60"], 4)
    frame = parse_frame(encoder.encode(0, 0.0, [-3.0, 1.5, 1e-6, 1e30], np.zeros(6)))
    assert frame.controls == [0, 65535, 0, 65535]


@given(st.binary(max_size=700))
def test_any_bytes_decode_or_give_a_value_error(datagram: bytes) -> None:
    with suppress(ValueError):
        decode(datagram)


@given(
    st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), max_size=6),
    st.integers(0, len(VALID)),
    st.binary(max_size=20),
)
def test_damaged_frames_decode_or_give_a_value_error(
    changes: list[tuple[int, int]], length: int, tail: bytes
) -> None:
    damaged = bytearray(VALID)
    for place, byte in changes:
        damaged[place] = byte
    with suppress(ValueError):
        frame = decode(bytes(damaged[:length]) + tail)
        assert np.isfinite(frame.pose).all()
        assert ((frame.values >= 0) & (frame.values <= 1)).all()
        assert 0.0 <= frame.subframe < 1.0


def edited(place: int, replacement: bytes) -> bytes:
    return VALID[:place] + replacement + VALID[place + len(replacement) :]


@pytest.mark.parametrize(
    ("datagram", "message"),
    [
        (b"", "0 bytes, not 4"),
        (edited(0, b"\x02"), "version 2, not 1"),
        (edited(2, b"\0\0"), "subject id of 0 bytes"),
        (edited(2, b"\xff\xff"), "subject id of 65535 bytes in a datagram of 584"),
        (edited(4, b"\xff"), "subject id is not UTF-8"),
        (VALID[:50], "subject id of 36 bytes in a datagram of 50"),
        (edited(44, struct.pack("<f", 1.0)), "subframe 1.0"),
        (edited(44, struct.pack("<f", np.nan)), "subframe nan"),
        (edited(48, bytes(4)), "frame rate 0/1"),
        (edited(52, b"\xff\xff\xff\xff"), "frame rate 60/-1"),
        (edited(56, b"\xfa\x00"), "250 controls and a head pose in 526 bytes"),
        (VALID[:-1], "251 controls and a head pose in 525 bytes"),
        (VALID + b"\0", "251 controls and a head pose in 527 bytes"),
        (edited(580, struct.pack("<f", np.inf)), "value 5 of 6 is inf"),
        (VALID + bytes(MAX_DATAGRAM_BYTES), "bytes, not 4"),
    ],
)
def test_hostile_frames_are_refused_with_the_number(datagram: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(datagram)


@pytest.mark.parametrize(
    ("frame", "subframe", "values", "pose", "message"),
    [
        (-1, 0.0, RAMP, np.zeros(6), "frame -1"),
        (MAX_FRAME + 1, 0.0, RAMP, np.zeros(6), "frame 2147483648"),
        (0, 1.0, RAMP, np.zeros(6), "subframe 1.0"),
        (0, np.nan, RAMP, np.zeros(6), "subframe nan"),
        (0, 0.0, RAMP[:250], np.zeros(6), "shape"),
        (0, 0.0, RAMP, np.zeros(5), "shape"),
        (0, 0.0, RAMP * np.nan, np.zeros(6), "value 0 of 251 is nan"),
        (0, 0.0, RAMP, np.full(6, np.inf), "value 0 of 6 is inf"),
    ],
)
def test_the_encoder_refuses_what_no_receiver_could_read(
    frame: int, subframe: float, values: np.ndarray, pose: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        FrameEncoder(ID, FRAME_RATES["60"]).encode(frame, subframe, values, pose)


def test_ids_and_counts_have_limits() -> None:
    rate = FRAME_RATES["60"]
    longest = FrameEncoder("x" * MAX_ID_BYTES, rate, MAX_CONTROLS)
    datagram = longest.encode(0, 0.0, np.zeros(MAX_CONTROLS), np.zeros(6))
    assert len(datagram) == MAX_DATAGRAM_BYTES
    assert decode(datagram).subject_id == "x" * MAX_ID_BYTES
    for identity, count in (("", 1), ("x" * 257, 1), (ID, 0), (ID, MAX_CONTROLS + 1)):
        with pytest.raises(ValueError, match="not 1"):
            FrameEncoder(identity, rate, count)
