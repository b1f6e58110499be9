"""Datagrams recognised by their content, statistics of streams, and bounds on both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cstalk_bridge.diagnostics.streams import (
    FORGET_AFTER_S,
    JITTER_CAPACITY,
    MAX_CURVES,
    MAX_HOSTS,
    MAX_SENDERS,
    MAX_STREAMS,
    MAX_STREAMS_OF_HOST,
    ArrivalStatistics,
    StreamReport,
    Streams,
    recognise,
)
from cstalk_bridge.outputs.osc_messages import encode_message
from cstalk_bridge.outputs.protocol import MAX_NAME_CHARACTERS, FrameTime, StreamFrame
from tests.diagnostics.datagrams import ARKIT, ID, JAW, livelink_face, metahuman, no_face, osc, vmc


def one(datagram: bytes) -> StreamFrame:
    [sighting] = recognise(datagram)
    return sighting


def test_live_link_face_is_decoded_to_subject_device_time_and_curves() -> None:
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


def test_metahuman_is_decoded_to_raw_curves_and_head() -> None:
    seen = one(metahuman(60))
    assert (seen.protocol, seen.subject) == ("metahuman", ID)
    assert len(seen.curves) == 251 + 6
    assert seen.curves["CTRL_expressions_jawOpen"] == pytest.approx(JAW, abs=1e-4)
    assert seen.curves["HeadYaw"] == 12.0
    assert seen.time is not None
    assert seen.time.label == "00:00:01:00"


def test_metahuman_controls_declared_elsewhere_are_numbered() -> None:
    assert "control 2" in one(metahuman(0, controls=3)).curves


def test_each_osc_prefix_is_a_subject() -> None:
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


def test_a_vmc_frame_ends_with_its_last_datagram() -> None:
    first, last = [one(datagram) for datagram in vmc()]
    assert (first.protocol, first.subject) == ("vmc", "")
    assert (first.frames, last.frames) == (0, 1)
    assert {**first.curves, **last.curves}["jawOpen"] == JAW
    assert first.curves["Head.y"] == pytest.approx(-0.0998, abs=1e-4)


def test_vmc_messages_that_receivers_ignore_are_reported() -> None:
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
def test_an_unknown_protocol_is_refused_with_a_reason(datagram: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        recognise(datagram)


def test_an_unknown_frame_rate_gives_no_time() -> None:
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


def test_names_cannot_send_terminal_escapes() -> None:
    seen = one(encode_message("/VMC/Ext/Blend/Val", "\x1b]0;owned\x07" + "x" * 99, 1.0))
    [name] = seen.curves
    assert name.startswith("?]0;owned?x")
    assert len(name) == MAX_NAME_CHARACTERS


def at(position: float, rate: int = 60) -> FrameTime:
    return FrameTime(int(position), position % 1, rate, 1)


def counts(arrivals: ArrivalStatistics) -> tuple[int, int, int, int]:
    return arrivals.lost, arrivals.late, arrivals.repeated, arrivals.restarts


def test_an_even_stream_has_its_rate_and_no_jitter() -> None:
    arrivals = ArrivalStatistics()
    for frame in range(600):
        arrivals.add(frame / 60, at(1000 + frame))
    assert arrivals.per_second(599 / 60) == pytest.approx(60.0)
    assert arrivals.per_second(599 / 60 + 10) == 0.0
    spread = arrivals.jitter()
    assert spread is not None
    assert spread.worst_s == pytest.approx(0.0, abs=1e-9)
    assert counts(arrivals) == (0, 0, 0, 0)


@pytest.mark.parametrize("has_numbers", [True, False])
def test_jitter_is_the_deviation_of_the_gaps(has_numbers: bool) -> None:
    arrivals = ArrivalStatistics()
    shifts_s = np.random.default_rng(3).uniform(0.0, 0.004, JITTER_CAPACITY)
    for frame, shift_s in enumerate(shifts_s):
        arrivals.add(frame / 60 + shift_s, at(frame) if has_numbers else None)
    spread = arrivals.jitter()
    assert spread is not None
    off_s = np.abs(np.diff(shifts_s))
    assert spread.median_s == pytest.approx(np.median(off_s), abs=2e-4)
    assert spread.worst_s == pytest.approx(off_s.max(), abs=2e-4)
    assert arrivals.knows_losses == has_numbers


def test_a_lost_frame_is_counted_and_is_not_jitter() -> None:
    arrivals = ArrivalStatistics()
    for frame in range(100):
        if frame % 10 != 5:
            arrivals.add(frame / 60, at(frame))
    assert counts(arrivals) == (10, 0, 0, 0)
    spread = arrivals.jitter()
    assert spread is not None
    assert spread.worst_s == pytest.approx(0.0, abs=1e-9)


def test_drifting_frame_times_of_phones_count_as_no_loss() -> None:
    arrivals = ArrivalStatistics()
    for number in range(5000):
        arrivals.add(number / 60, at(5_000_000 + number * 1.0016))
    assert counts(arrivals) == (0, 0, 0, 0)


@given(st.lists(st.booleans(), min_size=3, max_size=80), st.integers(0, 10**6))
def test_losses_are_the_frames_missing_between_the_first_and_the_last(
    arrived: list[bool], first: int
) -> None:
    frames = [first + place for place, has_arrived in enumerate(arrived) if has_arrived]
    arrivals = ArrivalStatistics()
    for frame in frames:
        arrivals.add(frame / 60, at(frame))
    expected = frames[-1] - frames[0] + 1 - len(frames) if frames else 0
    assert counts(arrivals) == (expected, 0, 0, 0)
    assert arrivals.frames == len(frames)


def test_a_late_frame_is_not_lost_and_a_repeated_one_is_reported() -> None:
    arrivals = ArrivalStatistics()
    for place, frame in enumerate([1, 2, 4, 3, 5, 5, 6]):
        arrivals.add(place / 60, at(frame))
    assert counts(arrivals) == (0, 1, 1, 0)


@pytest.mark.parametrize("again", [at(0), at(200_000), at(1000.5, rate=30)])
def test_a_restart_is_not_a_loss(again: FrameTime) -> None:
    arrivals = ArrivalStatistics()
    for frame in range(10):
        arrivals.add(frame / 60, at(1000 + frame))
    for frame in range(10):
        step = FrameTime(again.frame + frame, again.subframe, again.numerator, 1)
        arrivals.add(1 + frame / again.numerator, step)
    assert counts(arrivals) == (0, 0, 0, 1)
    spread = arrivals.jitter()
    assert spread is not None
    assert spread.worst_s == pytest.approx(0.0, abs=1e-9)


def test_two_frames_are_no_jitter_yet() -> None:
    arrivals = ArrivalStatistics()
    arrivals.add(0.0)
    arrivals.add(1.0)
    assert arrivals.jitter() is None


PHONE = ("10.0.0.5", 50000)


def only(streams: Streams, now_s: float) -> StreamReport:
    [stream] = streams.report(now_s).streams
    return stream


def test_every_protocol_is_shown_as_a_stream_with_rate_and_losses() -> None:
    streams = Streams()
    for frame in range(120):
        now_s = frame / 60
        if frame % 10 != 3:
            streams.add(livelink_face(frame), PHONE, 11111, now_s)
            streams.add(metahuman(frame), PHONE, 14786, now_s)
        for datagram in (*osc(), *vmc()):
            streams.add(datagram, PHONE, 8000, now_s)
    report = streams.report(119 / 60)
    seen = {stream.key.protocol: stream for stream in report.streams}
    assert {name: stream.key.subject for name, stream in seen.items()} == {
        "livelink-face": "Ada", "metahuman": ID, "osc": "/face", "vmc": "",
    }  # fmt: skip
    assert [seen[name].lost for name in ("livelink-face", "metahuman", "osc", "vmc")] == [
        12, 12, None, None,
    ]  # fmt: skip
    for name, rate_hz in {"livelink-face": 54, "metahuman": 54, "osc": 60, "vmc": 60}.items():
        assert seen[name].rate_hz == pytest.approx(rate_hz, abs=0.6)
        assert seen[name].strongest(1)
    assert seen["osc"].datagrams == 120 * len(osc())
    assert (seen["osc"].frames, seen["vmc"].frames) == (120, 120)
    assert len(seen["osc"].curves) == 251
    assert len(seen["vmc"].curves) == 52 + 3
    assert seen["livelink-face"].timecode == "00:00:01:59"
    assert (report.rejected, report.rejections) == (0, ())


def test_osc_with_one_message_per_datagram_counts_frames_by_repeated_curves() -> None:
    streams = Streams()
    for frame in range(60):
        for name in ("jaw", "smile", "blink"):
            streams.add(encode_message(f"/{name}", 0.5), PHONE, 8000, frame / 60)
    assert only(streams, 59 / 60).frames == 60


def test_strongest_curves_keep_the_order_of_the_sender() -> None:
    streams = Streams()
    for name, value in (("a", 0.2), ("b", -0.9), ("c", 0.001), ("d", 0.5)):
        streams.add(encode_message(f"/{name}", value), PHONE, 8000, 0.0)
    assert [name for name, _ in only(streams, 0.0).strongest(2)] == ["b", "d"]
    assert [name for name, _ in only(streams, 0.0).strongest(9)] == ["a", "b", "d"]


def test_two_senders_of_one_subject_are_reported_and_a_restarted_one_is_not() -> None:
    streams = Streams()
    for frame in range(60):
        for port in (50000, 50001):
            streams.add(livelink_face(frame), ("10.0.0.5", port), 11111, frame / 60)
    assert only(streams, 1.0).senders == (50000, 50001)
    streams.add(livelink_face(600), ("10.0.0.5", 50002), 11111, 10.0)
    assert only(streams, 10.0).senders == (50002,)


def test_a_stream_falls_silent() -> None:
    streams = Streams()
    streams.add(livelink_face(0), PHONE, 11111, 0.0)
    assert not only(streams, 0.5).is_silent
    assert only(streams, 3.0).is_silent
    assert only(streams, 3.0).silent_s == 3.0


def test_a_sender_of_invented_subjects_leaves_room_for_others() -> None:
    streams = Streams()
    for number in range(2 * MAX_STREAMS_OF_HOST):
        streams.add(livelink_face(0, f"Ada{number}"), PHONE, 11111, 0.0)
    streams.add(livelink_face(0), ("10.0.0.6", 50000), 11111, 0.0)
    report = streams.report(0.0)
    assert len(report.streams) == MAX_STREAMS_OF_HOST + 1
    assert report.streams[-1].key.host == "10.0.0.6"
    [refusal] = report.rejections
    assert (refusal.count, refusal.reason) == (
        MAX_STREAMS_OF_HOST, "more subjects than can be shown",
    )  # fmt: skip


def test_all_hosts_together_stay_within_the_limits() -> None:
    streams = Streams()
    for number in range(4 * MAX_STREAMS):
        host = f"10.0.{number // 250}.{number % 250}"
        streams.add(livelink_face(0), (host, 50000), 11111, 0.0)
        streams.add(b"hello", (host, 50000), 11111, 0.0)
    report = streams.report(0.0)
    assert len(report.streams) == MAX_STREAMS
    assert len(report.rejections) == MAX_HOSTS
    assert report.datagrams == 8 * MAX_STREAMS
    assert report.rejected == 4 * MAX_STREAMS + 3 * MAX_STREAMS


def test_an_ended_stream_makes_room() -> None:
    streams = Streams()
    for number in range(MAX_STREAMS_OF_HOST):
        streams.add(livelink_face(0, f"Ada{number}"), PHONE, 11111, float(number))
    now_s = FORGET_AFTER_S
    streams.add(livelink_face(0, "new"), PHONE, 11111, now_s)
    names = [stream.key.subject for stream in streams.report(now_s).streams]
    assert names == [*(f"Ada{number}" for number in range(1, MAX_STREAMS_OF_HOST)), "new"]


def test_curves_and_senders_of_a_stream_are_bounded() -> None:
    streams = Streams()
    for number in range(2 * MAX_CURVES):
        sender = ("10.0.0.5", 1024 + number)
        streams.add(encode_message(f"/curve{number}", 0.5), sender, 8000, 0.0)
    stream = only(streams, 0.0)
    assert len(stream.curves) == MAX_CURVES
    assert len(stream.senders) == MAX_SENDERS
    assert stream.frames == 1


def test_rejected_datagrams_are_counted_with_the_last_reason() -> None:
    streams = Streams()
    streams.add(b"hello", PHONE, 11111, 0.0)
    streams.add(livelink_face(0)[:-1], PHONE, 11111, 0.0)
    report = streams.report(0.0)
    [refusal] = report.rejections
    assert (refusal.host, refusal.port, refusal.count) == ("10.0.0.5", 11111, 2)
    assert "61 values" in refusal.reason
    assert (report.datagrams, report.rejected, report.streams) == (2, 2, ())
