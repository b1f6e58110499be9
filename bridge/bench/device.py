"""The MetaHuman device: do hostile connections touch the ticks, or whoever means well?

The same pieces are sent twice, to a port that throws them away and to the device's. So what the
sending itself costs this machine is in both, and the difference is what the device does to the
ticks. A client that was there before keeps asking whether it is still heard.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from bridge.bench.clients import PATIENCE_S, FaithfulClient, begun
from bridge.bench.control import ADDED_P99_MS, GROWTH_MB, difference, of_flood
from bridge.bench.daemon_process import DaemonProcess
from bridge.bench.figures import Figure, Remark
from bridge.bench.hostile_tcp import HostileConnections, Sink
from bridge.bench.machine import free_port, resident_mb
from bridge.bench.receiver import ReceiverProcess

if TYPE_CHECKING:
    from bridge.bench.daemon_process import Measurements
    from bridge.bench.options import Options

PIECES = 1_000_000
SETTLE_S = 8.0
"""Until the device has met and given up all connections that still wait at its door."""


def measure(_options: Options) -> list[Figure | Remark]:
    """Attack, then connect."""
    port = free_port(socket.SOCK_STREAM)
    subject = {"name": "Bench", "links": [f"metahuman://127.0.0.1:{port}"]}
    with (
        ReceiverProcess() as receiver,
        DaemonProcess(
            "test", receiver.port, subjects=[{**subject, "audio": {"input": "test"}}]
        ) as running,
        Sink() as sink,
        FaithfulClient(port) as faithful,
    ):
        hostile = HostileConnections(port)
        _attack(running, hostile, PIECES // 4)
        time.sleep(SETTLE_S)
        before_mb = resident_mb(running.process_id)
        beside = _attack(running, HostileConnections(sink.port), PIECES)
        at_us = _attack(running, hostile, PIECES)
        time.sleep(SETTLE_S)
        after_mb = resident_mb(running.process_id)
        welcome_s = _welcome_s(port)
        running.stop()
    asked_s = faithful.answers_s
    return [
        Remark(f"limits as in control: at most {ADDED_P99_MS:g} ms and {GROWTH_MB:g} MB more"),
        *of_flood("pieces of hostile connections", PIECES, beside, at_us),
        Figure("hostile connections", hostile.opened, ""),
        Figure("memory grown by them", difference(after_mb, before_mb), "MB", maximum=GROWTH_MB),
        Figure("questions of a client that was there", len(asked_s), "", minimum=1),
        Figure("latest answer to it", 1e3 * max(asked_s), "ms", maximum=1e3 * PATIENCE_S),
        Figure("a new client afterwards is let in", 1e3 * welcome_s, "ms", maximum=1e3),
    ]


def _attack(running: DaemonProcess, hostile: HostileConnections, pieces: int) -> Measurements:
    running.measured()
    hostile.send(pieces)
    return running.measured()


def _welcome_s(port: int) -> float:
    begun_s = time.monotonic()
    connection, _ = begun(port)
    connection.close()
    return time.monotonic() - begun_s
