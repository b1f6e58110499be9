from __future__ import annotations

import random
import socket

from bridge.bench.clients import DeafClient, FaithfulClient, begun
from bridge.bench.daemon_process import DaemonProcess
from bridge.bench.hostile_tcp import HostileConnections, Sink, hostile_stream
from bridge.bench.machine import free_port
from bridge.bench.receiver import ReceiverProcess
from bridge.links.metahuman.framing import FramingError, Unpacker


def test_hostile_streams_are_wrong_in_many_ways() -> None:
    chance = random.Random(0)
    framed = broken = 0
    for stream in (hostile_stream(chance) for _ in range(100)):
        try:
            framed += bool(list(Unpacker().feed(stream)))
        except FramingError:
            broken += 1
    assert framed > 10
    assert broken > 10


def test_all_pieces_go_where_they_are_thrown_away() -> None:
    with Sink() as sink:
        hostile = HostileConnections(sink.port)
        hostile.send(2000)
        assert hostile.opened > 10


def test_a_device_serves_who_means_well_beside_who_does_not() -> None:
    port = free_port(socket.SOCK_STREAM)
    links = [f"metahuman://127.0.0.1:{port}"]
    subject = {"name": "Bench", "audio": {"input": "test"}, "links": links}
    with (
        ReceiverProcess() as receiver,
        DaemonProcess("test", receiver.port, subjects=[subject]) as running,
        FaithfulClient(port) as faithful,
        DeafClient(port),
    ):
        HostileConnections(port).send(30_000)
        running.stop()
    assert faithful.answers_s
    assert max(faithful.answers_s[:-1], default=0.0) < 5.0


def test_a_session_needs_somebody_who_gives_one() -> None:
    with Sink() as sink:
        connection = socket.create_connection(("127.0.0.1", sink.port))
        connection.close()
    try:
        begun(sink.port)
    except OSError:
        return
    raise AssertionError("nobody gave a session")
