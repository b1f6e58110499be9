from __future__ import annotations

import math
import socket
import time

from bridge.bench.control import SETTLE_S, answered_s, of_flood
from bridge.bench.daemon_process import DaemonProcess
from bridge.bench.figures import missed
from bridge.bench.hostile import flood, hostile_datagrams
from bridge.bench.machine import free_port
from bridge.bench.receiver import ReceiverProcess
from tests.bench.test_preview import phase


def test_hostile_datagrams_are_many_and_always_the_same() -> None:
    datagrams = hostile_datagrams()
    assert datagrams == hostile_datagrams()
    assert len(set(datagrams)) > 900
    assert max(map(len, datagrams)) < 1472


def test_a_late_tick_misses_its_limit() -> None:
    assert missed(of_flood("datagrams", 9, phase(0.5), phase(1.2))) == 0
    assert missed(of_flood("datagrams", 9, phase(0.5), phase(1.8))) == 1


def test_nobody_at_a_port_is_told_from_a_bridge() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        assert math.isinf(answered_s(deaf.getsockname()[1], patience_s=0.05))


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
