"""Remote control: does a flood at its port touch the ticks, and is a controller still heard?

The flood is sent twice, to a port where nobody reads and to that of remote control. So what the
sending itself costs this machine is in both, and the difference is what remote control does to
the ticks.
"""

from __future__ import annotations

import math
import socket
import time
from typing import TYPE_CHECKING

from bridge.bench.daemon_process import DaemonProcess
from bridge.bench.figures import Figure, Remark, figures_of
from bridge.bench.hostile import flood
from bridge.bench.machine import free_port, resident_mb
from bridge.bench.receiver import ReceiverProcess
from bridge.links.osc import decode_packet, encode_message

if TYPE_CHECKING:
    from bridge.bench.daemon_process import Measurements
    from bridge.bench.options import Options

DATAGRAMS = 1_000_000
ADDED_P99_MS = 1.0
"""Two waits for the interpreter (`SWITCH_INTERVAL_S`)."""
GROWTH_MB = 1.0

PATIENCE_S = 5.0
SETTLE_S = 1.0
"""Until what the system holds of a flood has been read: before that it drops new datagrams."""


def measure(_options: Options) -> list[Figure | Remark]:
    """Flood, then ask for the battery."""
    port = free_port(socket.SOCK_DGRAM)
    with (
        ReceiverProcess() as receiver,
        DaemonProcess("test", receiver.port, control={"osc": f"127.0.0.1:{port}"}) as running,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf,
    ):
        deaf.bind(("127.0.0.1", 0))
        _flood(running, ("127.0.0.1", port), DATAGRAMS // 4)
        before_mb = resident_mb(running.process_id)
        beside = _flood(running, deaf.getsockname(), DATAGRAMS)
        at_us = _flood(running, ("127.0.0.1", port), DATAGRAMS)
        after_mb = resident_mb(running.process_id)
        time.sleep(SETTLE_S)
        took_s = answered_s(port)
        running.stop()
    return [
        *of_flood("hostile datagrams", DATAGRAMS, beside, at_us),
        Figure(
            "memory grown by the flood", difference(after_mb, before_mb), "MB", maximum=GROWTH_MB
        ),
        Figure("an answer afterwards", 1e3 * took_s, "ms", maximum=1e3 * PATIENCE_S),
    ]


def answered_s(port: int, patience_s: float = PATIENCE_S) -> float:
    """Return how long remote control takes to tell of the battery; infinite without an answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as controller:
        controller.settimeout(patience_s)
        controller.connect(("127.0.0.1", port))
        begun_s = time.monotonic()
        controller.send(encode_message("/BatteryQuery", 1))
        try:
            (message,) = decode_packet(controller.recv(2048))
        except TimeoutError:
            return math.inf
        return time.monotonic() - begun_s if message.address == "/Battery" else math.inf


def _flood(running: DaemonProcess, address: tuple[str, int], number: int) -> Measurements:
    running.measured()
    flood(address, number)
    return running.measured()


def of_flood(
    name: str, number: int, beside: Measurements, at_us: Measurements
) -> list[Figure | Remark]:
    """Return the ticks' lateness in a flood at us, beside that in one at somebody else."""
    elsewhere, here = (phase.spreads.get("lateness") for phase in (beside, at_us))
    added_ms = 1e3 * (here.p99_s - elsewhere.p99_s) if here and elsewhere else math.nan
    return [
        Figure(name, number, ""),
        *figures_of("tick lateness, sent to a deaf port", elsewhere),
        *figures_of("tick lateness, sent to ours", here),
        Figure("p99 added by us", added_ms, "ms", maximum=ADDED_P99_MS),
        Figure("ticks left out", at_us.drops["ticks"], "ticks", maximum=0),
    ]


def difference(after_mb: float | None, before_mb: float | None) -> float:
    """Return by how much memory grew, NaN where it cannot be told."""
    return math.nan if after_mb is None or before_mb is None else after_mb - before_mb
