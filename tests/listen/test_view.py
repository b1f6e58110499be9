"""What is shown of streams: within the terminal, and in words."""

from __future__ import annotations

import pytest

from bridge.listen.plain import STATUS_EVERY_S, PlainReport, stream_line
from bridge.listen.streams import Streams
from bridge.listen.view import draw
from bridge.monitor.glyphs import ASCII
from tests.listen.datagrams import livelink_face, metahuman, no_face, osc, vmc

PHONE = ("10.0.0.5", 50000)
HOST = "10.0.0.1"
PORTS = (8000, 11111)


def some(seconds: int = 2) -> Streams:
    streams = Streams()
    for frame in range(60 * seconds):
        for datagram in (livelink_face(frame), metahuman(frame), *osc(), *vmc()):
            streams.add(datagram, PHONE, 11111, frame / 60)
        streams.add(b"hello", ("10.0.0.9", 4), 11111, frame / 60)
    return streams


@pytest.mark.parametrize("width", [20, 80, 200])
@pytest.mark.parametrize("height", [3, 24, 60])
def test_the_picture_fits_the_terminal(width: int, height: int) -> None:
    picture = draw(some(1).report(1.0), HOST, PORTS, width, height).plain.split("\n")
    assert len(picture) <= height
    assert max(map(len, picture)) <= width


def test_the_picture_tells_each_stream_and_what_was_refused() -> None:
    picture = draw(some().report(2.0), HOST, PORTS, 120, 50, ASCII).plain
    assert "Ada  livelink-face  from 10.0.0.5:50000 to port 11111" in picture
    assert "60.0 frames/s  jitter 0.0 ms (p99 0.0)  timecode 00:00:01:59  61 curves" in picture
    assert "nothing lost" in picture
    assert "JawOpen              #####.....  0.50" in picture
    assert "120 refused from 10.0.0.9 to port 11111: 5 bytes of another protocol" in picture
    assert picture.isascii()


def test_before_anything_arrives_the_way_out_is_said() -> None:
    picture = draw(Streams().report(0.0), HOST, PORTS, 160, 24).plain
    assert "nothing has arrived on 10.0.0.1 at port 8000, 11111: check" in picture


def test_plain_lines_are_said_once_and_again_after_a_while() -> None:
    streams = Streams()
    streams.add(livelink_face(0), PHONE, 11111, 0.0)
    plain = PlainReport()
    [line] = plain.lines(streams.report(0.0), 0.0)
    assert line.startswith("Ada  livelink-face  from 10.0.0.5:50000 to port 11111 | 0.0 frames/s")
    assert line.endswith("JawOpen 0.50")
    assert plain.lines(streams.report(0.5), 0.5) == []
    [line] = plain.lines(streams.report(2.0), 2.0)
    assert "silent for 2 s" in line
    assert plain.lines(streams.report(3.0), 3.0) == []
    assert len(plain.lines(streams.report(2.0 + STATUS_EVERY_S), 2.0 + STATUS_EVERY_S)) == 1


def test_a_change_is_said_at_once() -> None:
    streams = Streams()
    plain = PlainReport()
    streams.add(livelink_face(0), PHONE, 11111, 0.0)
    assert len(plain.lines(streams.report(0.0), 0.0)) == 1
    streams.add(no_face(1), PHONE, 11111, 0.1)
    [line] = plain.lines(streams.report(0.1), 0.1)
    assert "| no face" in line
    streams.add(no_face(9), ("10.0.0.5", 50001), 11111, 0.2)
    [line] = plain.lines(streams.report(0.2), 0.2)
    assert "7 lost" in line
    assert "2 senders" in line
    streams.add(b"hello", PHONE, 11111, 0.3)
    assert plain.lines(streams.report(0.3), 0.3) == [
        "1 refused from 10.0.0.5 to port 11111: 5 bytes of another protocol, "
        "they begin with 68 65 6c 6c"
    ]


def test_datagrams_of_a_frame_are_told_where_there_are_several() -> None:
    lines = [stream_line(stream) for stream in some().report(2.0).streams]
    assert [("2.0 datagrams a frame" in line) for line in lines] == [False, False, False, True]
    assert f"{len(osc()):.1f} datagrams a frame" in lines[2]
