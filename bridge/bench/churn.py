"""A long run with clients that come and go, takes and the page: does memory grow, is all answered?

`--minutes 60` is an hour of it. Memory is compared with that after the first minute, by when every
kind of client has been there.
"""

from __future__ import annotations

import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.bench.daemon_process import DaemonProcess
from bridge.bench.figures import Figure, Remark
from bridge.bench.machine import free_port, resident_mb
from bridge.bench.packets import of_arrivals
from bridge.bench.receiver import ReceiverProcess
from bridge.bench.soak import MINUTE_S, drops, memory
from bridge.bench.visitors import Visitors
from bridge.clock.host import host_now

if TYPE_CHECKING:
    from bridge.bench.options import Options
    from bridge.bench.visitors import Visits

GROWTH_MB = 2.0
MAX_TOLD = 10


def measure(options: Options) -> list[Figure | Remark]:
    """Run for `options.minutes`, and tell the memory each minute."""
    control = free_port(socket.SOCK_DGRAM)
    device, page = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
    held_mb: list[float | None] = []
    with tempfile.TemporaryDirectory() as name, ReceiverProcess() as receiver:
        links = [f"livelink-face://127.0.0.1:{receiver.port}", f"metahuman://127.0.0.1:{device}"]
        subject = {"name": "Bench", "audio": {"input": "test"}, "links": links}
        settings: dict[str, Any] = {
            "subjects": [subject],
            "control": {"osc": f"127.0.0.1:{control}"},
            "preview": f"127.0.0.1:{page}",
            "recording": {"folder": name},
        }
        with (
            DaemonProcess("test", receiver.port, **settings) as running,
            Visitors(control, device, page, Path(name)) as visitors,
        ):
            start_s = host_now()
            for minute in range(1, max(2, round(options.minutes)) + 1):
                time.sleep(max(0.0, start_s + minute * MINUTE_S - host_now()))
                held_mb.append(resident_mb(running.process_id))
                print(f"  minute {minute}: {held_mb[-1] or 0:.2f} MB", flush=True)
            visitors.__exit__()
            measured = running.stop()
        arrivals = receiver.stop()
    return [
        *of_visits(visitors.visits),
        *memory(held_mb, GROWTH_MB),
        *of_arrivals(arrivals),
        *drops(measured),
    ]


def of_visits(visits: Visits) -> list[Figure | Remark]:
    """Return how much was done, and what was not as it must be."""
    return [
        Figure("rounds of clients", visits.rounds, ""),
        Figure("clients not served", len(visits.faults), "", maximum=0),
        *(Remark(f"  {fault}") for fault in visits.faults[:MAX_TOLD]),
        Figure("takes", visits.takes, "", minimum=1),
        Figure("takes not as was answered", visits.untrue, "", maximum=0),
    ]
