from __future__ import annotations

import math
import random
import socket
import time

from cstalk_bridge.bench.daemon_process import DaemonProcess, free_port
from cstalk_bridge.bench.floods import (
    SETTLE_S,
    HostileConnections,
    Sink,
    answered_s,
    flood,
    hostile_datagrams,
    hostile_stream,
    of_flood,
)
from cstalk_bridge.bench.packets import ReceiverProcess
from cstalk_bridge.bench.report import missed
from cstalk_bridge.bench.soak import NonReadingClient, WellBehavedClient, open_session
from cstalk_bridge.outputs.metahuman.messages import FramingError, Unpacker
from tests.bench.test_preview import phase


def test_hostile_datagrams_are_many_and_reproducible() -> None:
    datagrams = hostile_datagrams()
    assert datagrams == hostile_datagrams()
    assert len(set(datagrams)) > 900
    assert max(map(len, datagrams)) < 1472


def test_a_late_tick_misses_its_limit() -> None:
    assert missed(of_flood("datagrams", 9, phase(0.5), phase(1.2))) == 0
    assert missed(of_flood("datagrams", 9, phase(0.5), phase(1.8))) == 1


def test_an_unused_port_is_distinguished_from_a_bridge() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        assert math.isinf(answered_s(deaf.getsockname()[1], timeout_s=0.05))


def test_a_bridge_answers_after_a_flood() -> None:
    port = free_port(socket.SOCK_DGRAM)
    with (
        ReceiverProcess() as receiver,
        DaemonProcess("test", receiver.port, control={"osc": f"127.0.0.1:{port}"}) as running,
    ):
        flood(("127.0.0.1", port), 2000)
        time.sleep(SETTLE_S)
        assert math.isfinite(answered_s(port))
        running.stop()


def test_hostile_streams_are_wrong_in_many_ways() -> None:
    chance = random.Random(0)
    framed = malformed = 0
    for stream in (hostile_stream(chance) for _ in range(100)):
        try:
            framed += bool(list(Unpacker().feed(stream)))
        except FramingError:
            malformed += 1
    assert framed > 10
    assert malformed > 10


def test_all_malformed_pieces_are_discarded() -> None:
    with Sink() as sink:
        hostile = HostileConnections(sink.port)
        hostile.send(2000)
        assert hostile.opened > 10


def test_a_device_serves_valid_clients_beside_hostile_ones() -> None:
    port = free_port(socket.SOCK_STREAM)
    links = [f"metahuman://127.0.0.1:{port}"]
    subject = {"name": "Bench", "audio": {"input": "test"}, "links": links}
    with (
        ReceiverProcess() as receiver,
        DaemonProcess("test", receiver.port, subjects=[subject]) as running,
        WellBehavedClient(port) as faithful,
        NonReadingClient(port),
    ):
        HostileConnections(port).send(30_000)
        running.stop()
    assert faithful.answers_s
    assert max(faithful.answers_s[:-1], default=0.0) < 5.0


def test_a_session_needs_a_server_that_grants_one() -> None:
    with Sink() as sink:
        connection = socket.create_connection(("127.0.0.1", sink.port))
        connection.close()
    try:
        open_session(sink.port)
    except OSError:
        return
    raise AssertionError("nobody gave a session")
