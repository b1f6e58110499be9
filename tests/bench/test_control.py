from __future__ import annotations

import math
import socket
import time

from bridge.bench.control import SETTLE_S, _of_flood, heartbeats, of_beats
from bridge.bench.daemon_process import DaemonProcess
from bridge.bench.figures import missed
from bridge.bench.hostile import flood, hostile_datagrams
from bridge.bench.receiver import ReceiverProcess
from tests.bench.test_preview import phase


def test_hostile_datagrams_are_many_and_always_the_same() -> None:
    datagrams = hostile_datagrams()
    assert datagrams == hostile_datagrams()
    assert len(set(datagrams)) > 900
    assert max(map(len, datagrams)) < 1472


def test_a_late_tick_and_a_lost_beat_miss_their_limits() -> None:
    assert missed(_of_flood(phase(0.5), phase(1.2))) == 0
    assert missed(_of_flood(phase(0.5), phase(1.8))) == 1
    assert missed(of_beats([0.001, 0.002])) == 0
    assert missed(of_beats([0.001, math.inf])) == 1


def test_a_bridge_answers_a_heartbeat_after_a_flood() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    with (
        ReceiverProcess() as receiver,
        DaemonProcess("test", receiver.port, control=f"127.0.0.1:{port}") as running,
    ):
        flood(("127.0.0.1", port), 2000)
        time.sleep(SETTLE_S)
        assert all(map(math.isfinite, heartbeats(port, minutes=0.01)))
        running.stop()
