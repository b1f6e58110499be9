"""`listen`: its picture and its plain lines, its ports, and the whole command."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.cli.live import add_listen
from cstalk_bridge.dashboard.picture import ASCII
from cstalk_bridge.diagnostics.listen import (
    MAX_PORTS,
    STATUS_EVERY_S,
    DatagramReceiver,
    StreamLines,
    draw,
    open_ports,
    stream_line,
)
from cstalk_bridge.diagnostics.streams import Streams
from cstalk_bridge.models.errors import UserError
from tests.diagnostics.datagrams import livelink_face, metahuman, no_face, osc, vmc
from tests.outputs.receiving import receiver
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


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


def test_the_picture_shows_each_stream_and_rejected_datagrams() -> None:
    picture = draw(some().report(2.0), HOST, PORTS, 120, 50, ASCII).plain
    assert "Ada  livelink-face  from 10.0.0.5:50000 to port 11111" in picture
    assert "60.0 frames/s  jitter 0.0 ms (p99 0.0)  timecode 00:00:01:59  61 curves" in picture
    assert "nothing lost" in picture
    assert "JawOpen              #####.....  0.50" in picture
    assert "120 rejected from 10.0.0.9 to port 11111: 5 bytes of another protocol" in picture
    assert picture.isascii()


def test_before_anything_arrives_advice_is_shown() -> None:
    picture = draw(Streams().report(0.0), HOST, PORTS, 160, 24).plain
    assert "no datagram has arrived at 10.0.0.1, port 8000, 11111: check" in picture


def test_plain_lines_are_printed_once_and_again_after_a_while() -> None:
    streams = Streams()
    streams.add(livelink_face(0), PHONE, 11111, 0.0)
    plain = StreamLines()
    [line] = plain.lines(streams.report(0.0), 0.0)
    assert line.startswith("Ada  livelink-face  from 10.0.0.5:50000 to port 11111 | 0.0 frames/s")
    assert line.endswith("JawOpen 0.50")
    assert plain.lines(streams.report(0.5), 0.5) == []
    [line] = plain.lines(streams.report(2.0), 2.0)
    assert "silent for 2 s" in line
    assert plain.lines(streams.report(3.0), 3.0) == []
    assert len(plain.lines(streams.report(2.0 + STATUS_EVERY_S), 2.0 + STATUS_EVERY_S)) == 1


def test_a_change_is_printed_at_once() -> None:
    streams = Streams()
    plain = StreamLines()
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
        "1 rejected from 10.0.0.5 to port 11111: 5 bytes of another protocol, "
        "they begin with 68 65 6c 6c"
    ]


def test_the_number_of_datagrams_per_frame_is_shown_where_there_are_several() -> None:
    lines = [stream_line(stream) for stream in some().report(2.0).streams]
    assert [("2.0 datagrams a frame" in line) for line in lines] == [False, False, False, True]
    assert f"{len(osc()):.1f} datagrams a frame" in lines[2]


ROOT = Path(__file__).parents[2]
PROGRAM = """
import argparse, sys
from cstalk_bridge.cli.command import guarded
from cstalk_bridge.cli.live import add_listen
parser = argparse.ArgumentParser()
add_listen(parser.add_subparsers())
options = parser.parse_args(["listen", *sys.argv[1:]])
sys.exit(guarded(lambda: options.action(options)))
"""


def send(datagrams: list[bytes], port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in datagrams:
            sender.sendto(datagram, ("127.0.0.1", port))


def wait_for(streams: Streams, datagrams: int) -> None:
    wait_until(lambda: streams.report(0.0).datagrams >= datagrams)


def everything(frame: int) -> list[bytes]:
    return [livelink_face(frame), metahuman(frame), *osc(), *vmc(), b"hello"]


def test_datagrams_on_every_port_are_received() -> None:
    streams = Streams()
    with open_ports("127.0.0.1", (0, 0), need_all=True) as ports:
        with DatagramReceiver(ports.sockets, streams):
            for frame in range(20):
                for number in ports.numbers:
                    send(everything(frame), number)
                wait_for(streams, 2 * (frame + 1) * len(everything(0)))
        report = streams.report(0.0)
    assert len(report.streams) == 2 * 4
    assert {stream.key.port for stream in report.streams} == set(ports.numbers)
    assert {stream.lost for stream in report.streams} == {0, None}
    assert {stream.frames for stream in report.streams} == {20}
    assert report.rejected == 40


def test_a_port_in_use_is_reported_and_another_port_listens() -> None:
    with receiver() as taken:
        port = taken.target.port
        with open_ports("127.0.0.1", (port, 0), need_all=False) as ports:
            assert len(ports.sockets) == 1
            [notice] = ports.notices
        assert notice.startswith(f"127.0.0.1 port {port}: cannot listen there (")
        for need_all, numbers in ((True, (port, 0)), (False, (port,))):
            with pytest.raises(UserError, match=f"port {port}.*Unreal itself"):
                open_ports("127.0.0.1", numbers, need_all=need_all)


@pytest.mark.parametrize("numbers", [(65536,), (-1,), (0,) * (MAX_PORTS + 1)])
def test_invalid_ports_are_refused(numbers: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="--port"):
        open_ports("127.0.0.1", numbers, need_all=True)


def test_a_host_of_another_machine_is_refused() -> None:
    with pytest.raises(UserError, match=r"192\.0\.2\.1 port 0: cannot listen there"):
        open_ports("192.0.2.1", (0,), need_all=True)


def test_an_ipv6_address_is_accepted() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    try:
        ports = open_ports("::1", (0,), need_all=True)
    except UserError:
        pytest.skip("no IPv6")
    streams = Streams()
    with ports, DatagramReceiver(ports.sockets, streams):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
            sender.sendto(livelink_face(0), ("::1", ports.numbers[0]))
        wait_for(streams, 1)
    assert streams.report(0.0).streams[0].key.host == "::1"


def test_parsing_the_arguments_imports_none_of_its_modules() -> None:
    parser = argparse.ArgumentParser()
    add_listen(parser.add_subparsers())
    options = parser.parse_args(["listen", "--port", "1", "--port", "2", "--seconds", "0.5"])
    assert (options.port, options.seconds, options.plain) == ([1, 2], 0.5, False)


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "--host", "127.0.0.1", *arguments],
        env=environment, stdout=pipe, stderr=pipe, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def port_of(line: str) -> int:
    assert line.startswith("listening on 127.0.0.1 at port ")
    return int(line.rsplit(maxsplit=1)[1])


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT to a child")
def test_plain_lines_end_with_a_summary_at_ctrl_c() -> None:
    with command("--port", "0") as process:
        assert process.stdout is not None
        port = port_of(process.stdout.readline())
        for frame in range(30):
            # Not faster than the smallest receive buffer is emptied.
            send(everything(frame), port)
            time.sleep(0.01)
        lines_at_first = [process.stdout.readline() for _ in range(5)]
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=20)
        assert process.returncode == 0
    assert errors == ""
    for lines in (lines_at_first, rest.splitlines(keepends=True)):
        names = [line.split("  from ")[0] for line in lines[:4]]
        assert names == ["Ada  livelink-face", names[1], "/face  osc", "(no subject)  vmc"]
        assert " rejected from 127.0.0.1 to port " in lines[4]


def test_no_packet_within_the_given_time_is_an_error_with_advice() -> None:
    with command("--port", "0", "--seconds", "0.2", "--plain") as process:
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 2
    assert "no datagram has arrived at 127.0.0.1, port " in errors
    assert "firewall" in errors


def test_an_explicit_port_in_use_ends_the_command() -> None:
    with receiver() as taken, command("--port", str(taken.target.port)) as process:
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 2
    assert errors.startswith(f"cstalk-bridge: 127.0.0.1 port {taken.target.port}: cannot listen")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_the_picture_shows_received_streams_and_restores_the_terminal() -> None:
    import pty

    with receiver() as free:
        port = free.target.port
    master, terminal = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
    environment |= {"COLUMNS": "100", "LINES": "30"}
    arguments = ["--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=environment, stdin=terminal, stdout=terminal, stderr=terminal,
    )  # fmt: skip
    os.close(terminal)
    shown = b""
    frame = 0
    while b"livelink-face" not in shown:
        shown += os.read(master, 65536)
        frame += 1
        send([livelink_face(frame)], port)
    process.send_signal(signal.SIGINT)
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    os.close(master)
    assert process.wait(20) == 0
    enter, leave = b"\x1b[?1049h", b"\x1b[?1049l"
    assert shown.count(enter) == shown.count(leave) == 1
    picture, after = shown.split(leave)
    assert b"JawOpen" in picture
    assert b"Ada  livelink-face" in after
