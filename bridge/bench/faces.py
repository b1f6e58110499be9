"""How many faces this machine can do: 64 of them, and what one more costs."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from bridge.bench.daemon_process import DaemonProcess
from bridge.bench.figures import Figure, Remark, figures_of
from bridge.bench.packets import FPS, LATENESS_P99_MS, RATE_TOLERANCE_HZ
from bridge.bench.receiver import ReceiverProcess

if TYPE_CHECKING:
    from bridge.bench.daemon_process import Measurements
    from bridge.bench.options import Options
    from bridge.bench.receiver import Arrivals

MANY = 64
FEW = 8
TICK_ROOM = 0.5
"""Share of a tick's 1/60 s up to which faces have room: the other half is the network's."""
HOP_ROOM = 0.5
"""The same of a hop's 20 ms for the network."""
SETTLING_S = 3.0


def measure(options: Options) -> list[Figure | Remark]:
    """Run `FEW` and `MANY` subjects with a target each, for a third of `options.seconds`."""
    seconds = options.seconds / 3
    few, _ = _run(FEW, seconds)
    many, arrivals = _run(MANY, seconds)
    rates = stream_rates(arrivals)
    return [
        Remark(f"{os.cpu_count()} cores, 60 fps, ticks at ordinary priority"),
        *figures_of(
            f"tick lateness, {MANY} subjects", many.spreads.get("lateness"), p99_ms=LATENESS_P99_MS
        ),
        *figures_of(f"work of a tick, {MANY} subjects", many.spreads.get("send"))[:2],
        *figures_of(f"a step of the network, {MANY} subjects", many.spreads.get("step"))[:2],
        Figure(f"streams that arrived, {MANY} subjects", len(rates), "", MANY, MANY),
        Figure("the slowest stream", min(rates), "packets/s", FPS - RATE_TOLERANCE_HZ),
        Figure("the fastest stream", max(rates), "packets/s", maximum=FPS + RATE_TOLERANCE_HZ),
        Figure(f"processor, {MANY} subjects", 100 * many.cpu_s / seconds, "% of a core"),
        Remark(f"this machine: about {faces_of(few, many)} faces"),
    ]


def faces_of(few: Measurements, many: Measurements) -> int:
    """Return for how many faces there is room, by what those between `FEW` and `MANY` cost."""
    tick = _room(few, many, "send", TICK_ROOM / FPS)
    hop = _room(few, many, "step", HOP_ROOM * 0.020)
    return int(min(tick, hop))


def _room(few: Measurements, many: Measurements, part: str, limit_s: float) -> float:
    lower, upper = few.spreads[part].median_s, many.spreads[part].median_s
    each_s = max((upper - lower) / (MANY - FEW), 1e-7)
    return FEW + (limit_s - lower) / each_s


def stream_rates(arrivals: Arrivals) -> list[float]:
    """Return the packets a second of every stream; nothing of one with fewer than three."""
    rates = []
    for stream in np.unique(arrivals.streams):
        times_s = arrivals.times_s[arrivals.streams == stream][:-1]
        if len(times_s) >= 2:
            rates.append((len(times_s) - 1) / float(times_s[-1] - times_s[0]))
    return rates


def _run(subjects: int, seconds: float) -> tuple[Measurements, Arrivals]:
    with ExitStack() as closing:
        receiver = closing.enter_context(ReceiverProcess(subjects))
        cast = [
            {
                "name": f"Face {number}",
                "audio": {"input": "test"},
                "links": [f"livelink-face://127.0.0.1:{port}"],
            }
            for number, port in enumerate(receiver.ports)
        ]
        running = closing.enter_context(DaemonProcess("test", receiver.port, subjects=cast))
        time.sleep(SETTLING_S)
        running.measured()
        time.sleep(seconds)
        return running.stop(), receiver.stop()
