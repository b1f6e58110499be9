"""The UDP frame: layout, round trips, limits, hostile bytes."""

import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cstalk_bridge.outputs.link import MAX_FRAME
from cstalk_bridge.outputs.metahuman.frame import (
    CONTROLS,
    HEAD_POSE,
    MAX_CONTROLS,
    MAX_DATAGRAM_BYTES,
    MAX_ID_BYTES,
    FrameEncoder,
    decode,
)
from cstalk_bridge.timecode.smpte import FRAME_RATES, FrameRate
from tests.outputs.metahuman.unreal import parse_frame

ID = "12345678-90AB-CDEF-1234-567890ABCDEF"
RATES = st.sampled_from(sorted(FRAME_RATES.values(), key=lambda rate: rate.name))
POSES = arrays(np.float32, 6, elements=st.floats(-180, 180, width=32))
RAMP = np.linspace(0, 1, 251, dtype=np.float32)
VALID = FrameEncoder(ID, FRAME_RATES["60"]).encode(5375735, 0.25, RAMP, np.arange(6))


def test_bytes_are_those_of_the_layout() -> None:
    expected = (
        bytes.fromhex("0100 2400")
        + ID.encode()
        + bytes.fromhex("f7065200 0000803e 3c000000 01000000 fb00")
        + struct.pack("<251H", *(round(65535 * place / 250) for place in range(251)))
        + struct.pack("<6f", *range(6))
    )
    assert len(expected) == 584
    assert expected == VALID


def test_jaw_open_stands_where_real_captures_have_it() -> None:
    values = np.zeros(251)
    values[CONTROLS.index("CTRL_expressions_jawOpen")] = 1.0
    datagram = FrameEncoder(ID, FRAME_RATES["60"]).encode(0, 0.0, values, np.zeros(6))
    assert CONTROLS.index("CTRL_expressions_jawOpen") == 191
    assert struct.unpack_from("<H", datagram, 440) == (65535,)
    assert sum(parse_frame(datagram).controls) == 65535


def test_the_controls_are_a_metahumans_own() -> None:
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


def test_values_beyond_the_wire_end_at_its_limits() -> None:
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
def test_encoder_refuses_what_no_receiver_could_read(
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
