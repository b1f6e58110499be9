"""Section `links`: many subjects to many targets, some unreachable, beside a bare ticker without
work.

`python -m cstalk_bridge.bench.links` is that ticker: it ticks at 60 fps until its standard input is
closed, and prints the 99th percentile of its lateness in seconds.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.bench.child_process import ChildProcess, on_closed_input
from cstalk_bridge.bench.clients import NonReadingClient
from cstalk_bridge.bench.daemon_process import DaemonProcess, free_port
from cstalk_bridge.bench.packets import LATENESS_P99_MS, ReceiverProcess
from cstalk_bridge.bench.report import Figure, Remark, figures_of
from cstalk_bridge.monitor.rings import Percentiles
from cstalk_bridge.timecode.smpte import FRAME_RATES
from cstalk_bridge.timecode.tick import Ticker, host_now

if TYPE_CHECKING:
    from cstalk_bridge.bench.daemon_process import Measurements
    from cstalk_bridge.bench.packets import Arrivals
    from cstalk_bridge.bench.report import BenchConfig


SUBJECTS = ("Ada", "Ben", "Cleo", "Dan")
TARGETS = 8
SHARE = 1 / 3
"""Of the bench's seconds, which each phase lasts."""

ADDED_P99_MS = 1.0
"""Two waits for the interpreter (`SWITCH_INTERVAL_S`), as for whatever else shares it."""

SILENT = "192.0.2.1:11111"
"""An address that leads nowhere (RFC 5737)."""

UNKNOWN = "switched-off.invalid:11111"
"""A name that nobody has (RFC 6761)."""


@dataclass(frozen=True, slots=True)
class Phase:
    """What was measured while it was so, and how many processes wanted to run."""

    measured: Measurements
    arrivals: Arrivals
    load: float
    bare_p99_s: float
    """Of a ticker that has nothing to do, beside it."""
    cut: int = 0
    """How often a client that never reads was cut off."""

    @property
    def p99_ms(self) -> float:
        """99th percentile of the ticks' lateness."""
        lateness = self.measured.spreads.get("lateness")
        return 1e3 * lateness.p99_s if lateness else math.nan


def measure_links(config: BenchConfig) -> list[Figure | Remark]:
    """Run four phases of a third of `config.seconds`."""
    seconds = SHARE * config.seconds
    before = _phase(seconds, targets=0)
    sent = _phase(seconds, targets=TARGETS)
    hindered = _phase(seconds, targets=TARGETS, is_hindered=True)
    after = _phase(seconds, targets=0)
    loads = ", ".join(f"{each.load:.1f}" for each in (before, sent, hindered, after))
    return [
        Remark(f"{len(SUBJECTS)} subjects, 60 fps, {seconds:g} s for each of four phases"),
        Remark(f"load of the phases: {loads}, on {os.cpu_count()} cores"),
        *of_phases((before, after), sent, hindered),
        *of_streams(f"{TARGETS} targets", sent.arrivals),
        *of_streams("with unreachable targets", hindered.arrivals),
        Figure("disconnects of a client that never reads", hindered.cut, "times", minimum=1),
    ]


def of_phases(quiet: tuple[Phase, Phase], sent: Phase, hindered: Phase) -> list[Figure | Remark]:
    """Return the ticks' lateness of all phases, and what was added from one to the next."""
    quiet_ms = max(phase.p99_ms for phase in quiet)
    added_ms = hindered.p99_ms - sent.p99_ms
    return [
        *(
            Figure(f"idle ticker, {name}, p99", 1e3 * phase.bare_p99_s, "ms")
            for name, phase in (("first", quiet[0]), ("8 targets", sent), ("dead", hindered))
        ),
        Figure("tick lateness, no targets, p99", quiet[0].p99_ms, "ms"),
        Figure("tick lateness, no targets, afterwards, p99", quiet[1].p99_ms, "ms"),
        *figures_of("work of a tick, no targets", quiet[0].measured.spreads.get("send"))[:2],
        *_of_ticks(f"{TARGETS} targets", sent),
        Figure("p99 with targets, ratio to without", sent.p99_ms / quiet_ms, "times"),
        *_of_ticks("with unreachable targets", hindered),
        Figure("p99 with unreachable targets, ratio", hindered.p99_ms / sent.p99_ms, "times"),
        Figure("p99 added by unreachable targets", added_ms, "ms", maximum=ADDED_P99_MS),
    ]


def _of_ticks(name: str, phase: Phase) -> list[Figure]:
    spreads = phase.measured.spreads
    return [
        *figures_of(f"tick lateness, {name}", spreads.get("lateness"), p99_ms=LATENESS_P99_MS),
        *figures_of(f"work of a tick, {name}", spreads.get("send"))[:2],
        Figure(f"ticks left out, {name}", phase.measured.drops["ticks"], "ticks", maximum=0),
    ]


def of_streams(name: str, arrivals: Arrivals) -> list[Figure]:
    """Return how many streams arrived, and what of them was lost or came twice."""
    streams = np.unique(arrivals.streams)
    steps = [np.diff(arrivals.frames[arrivals.streams == stream]) for stream in streams]
    wrong = sum(int((each != 1).sum()) for each in steps)
    wanted = len(SUBJECTS) * TARGETS
    return [
        Figure(f"streams received, {name}", len(streams), "", wanted, wanted),
        Figure(f"packets, {name}", len(arrivals.frames), ""),
        Figure(f"frame steps other than +1, {name}", wrong, "", maximum=0),
    ]


def _phase(seconds: float, *, targets: int, is_hindered: bool = False) -> Phase:
    """Run the subjects; a device whom no client asks sends to nobody."""
    device = free_port(socket.SOCK_STREAM)
    with ExitStack() as closing:
        receiver = closing.enter_context(ReceiverProcess(max(1, targets)))
        places = [f"127.0.0.1:{port}" for port in receiver.ports[:targets]]
        if is_hindered:
            refused = f"127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
            places = [SILENT, refused, UNKNOWN, *places]
        links = [f"metahuman://127.0.0.1:{device}"]
        links += [f"livelink-face://{','.join(places)}"] if places else []
        subjects = [{"name": name, "audio": {"input": "test"}, "links": links} for name in SUBJECTS]
        running = closing.enter_context(DaemonProcess("test", receiver.port, subjects=subjects))
        deaf = closing.enter_context(NonReadingClient(device)) if is_hindered else None
        bare = closing.enter_context(BareTickerProcess())
        time.sleep(1.0)
        running.measured()
        time.sleep(seconds)
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan
        measured = running.stop()
        cut = deaf.cut if deaf else 0
        return Phase(measured, receiver.stop(), load, bare.stop(), cut)


KEPT = 1 << 14
"""Newest ticks kept: 4.5 minutes."""


class BareTickerProcess(ChildProcess):
    """The ticker as a context; `stop` ends it."""

    def __init__(self) -> None:
        super().__init__("cstalk_bridge.bench.links")

    def stop(self) -> float:
        """End it; return the 99th percentile of its ticks' lateness in seconds, NaN without any."""
        return float(self.close() or math.nan)


def tick_until_closed() -> None:
    """Tick until standard input is closed."""
    stop, lateness = threading.Event(), Percentiles(KEPT)
    on_closed_input(stop.set)
    for tick in Ticker(FRAME_RATES["60"], now=host_now):
        if stop.is_set():
            break
        lateness.add(tick.lateness_s)
    spread = lateness.spread()
    print(spread.p99_s if spread else math.nan)


if __name__ == "__main__":
    tick_until_closed()
