"""Browsers watch a running daemon: does every frame arrive, and do the ticks notice?

Ticks are unchanged when, with the clients, their lateness keeps the limit which it has without
any, and its 99th percentile does not rise by more than `ADDED_P99_MS` over the phases without
clients before and after, in the same run of the same daemon.
"""

from __future__ import annotations

import math
import socket
import time
from typing import TYPE_CHECKING

import numpy as np

from bridge.bench.daemon_process import DaemonProcess
from bridge.bench.figures import Figure, Remark, figures_of, spread_of
from bridge.bench.machine import free_port
from bridge.bench.packets import FPS, LATENESS_P99_MS, RATE_TOLERANCE_HZ
from bridge.bench.receiver import ReceiverProcess
from bridge.bench.watchers import Sightings, WatcherProcess

if TYPE_CHECKING:
    from bridge.bench.daemon_process import Measurements
    from bridge.bench.options import Options

CLIENTS = 8
ADDED_P99_MS = 1.0
"""Two waits for the interpreter (`SWITCH_INTERVAL_S`): of the generator and of the preview."""

LATENCY_P99_MS = 16.7
"""A frame that is later comes when the next one is due."""


def measure(options: Options) -> list[Figure | Remark]:
    """Watch for half of `options.seconds`, with a quarter before and after without clients."""
    address = f"127.0.0.1:{free_port(socket.SOCK_STREAM)}"
    quarter_s = options.seconds / 4
    with (
        ReceiverProcess() as receiver,
        DaemonProcess("test", receiver.port, preview=address) as running,
    ):
        time.sleep(1.0)
        running.measured()
        time.sleep(quarter_s)
        before = running.measured()
        with WatcherProcess(address, CLIENTS) as watchers:
            running.measured()
            begun_s = time.monotonic()
            time.sleep(2 * quarter_s)
            watched, watched_s = running.measured(), time.monotonic() - begun_s
            sightings = watchers.stop()
        running.measured()
        time.sleep(quarter_s)
        after = running.stop()
    return [
        *of_sightings(sightings, CLIENTS),
        *of_ticks(before, watched, after),
        *_of_processor(before, quarter_s, watched, watched_s),
    ]


def of_sightings(seen: Sightings, clients: int) -> list[Figure | Remark]:
    """Return the rate of the slowest client, what was left out, and the latency of the worst."""
    each = [seen.of(client) for client in range(clients)]
    if min(len(one.ticks) for one in each) < 3:
        return [
            Figure("clients that saw faces", sum(len(one.ticks) > 2 for one in each), "", clients)
        ]
    rates = [(len(one.ticks) - 1) / (one.arrived_s[-1] - one.arrived_s[0]) for one in each]
    steps = np.concatenate([np.diff(one.ticks) for one in each])
    worst = max((spread_of(one.arrived_s - one.left_s) for one in each), key=_p99)
    return [
        Figure("clients", clients, ""),
        Figure("frame rate of the slowest client", min(rates), "frames/s", FPS - RATE_TOLERANCE_HZ),
        Figure(
            "frame rate of the fastest client",
            max(rates),
            "frames/s",
            maximum=FPS + RATE_TOLERANCE_HZ,
        ),
        Figure("frames left out, of all clients", int(np.maximum(steps - 1, 0).sum()), ""),
        Figure("frames out of order", int((steps < 1).sum()), "", maximum=0),
        *figures_of("tick to browser, worst client", worst, p99_ms=LATENCY_P99_MS),
    ]


def of_ticks(
    before: Measurements, watched: Measurements, after: Measurements
) -> list[Figure | Remark]:
    """Return the ticks' lateness with clients, beside what it was without."""
    quiet = [phase.spreads.get("lateness") for phase in (before, after)]
    with_clients = watched.spreads.get("lateness")
    quiet_p99_ms = [1e3 * _p99(spread) for spread in quiet]
    added_ms = 1e3 * _p99(with_clients) - max(quiet_p99_ms)
    ratio = 1e3 * _p99(with_clients) / max(quiet_p99_ms)
    return [
        Figure("tick lateness before, p99", quiet_p99_ms[0], "ms"),
        *figures_of("tick lateness with clients", with_clients, p99_ms=LATENESS_P99_MS),
        Figure("tick lateness after, p99", quiet_p99_ms[1], "ms"),
        Figure("p99 added by the clients", added_ms, "ms", maximum=ADDED_P99_MS),
        Figure("p99 with, over without", ratio, "times"),
        Figure("ticks left out", after.drops["ticks"], "ticks", maximum=0),
    ]


def _of_processor(
    before: Measurements, before_s: float, watched: Measurements, watched_s: float
) -> list[Figure | Remark]:
    alone, together = before.cpu_s / before_s, watched.cpu_s / watched_s
    return [
        Figure("one core, daemon alone", 100 * alone, "%"),
        Figure("one core, with clients", 100 * together, "%"),
        Figure("one core, for each client", 100 * (together - alone) / CLIENTS, "%"),
    ]


def _p99(spread: object) -> float:
    return float(getattr(spread, "p99_s", math.nan))
