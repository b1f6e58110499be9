"""Section `packets`, and the process that receives Live Link Face packets and stamps each with
the host clock.

It is a process of its own so that it neither slows the daemon down nor waits for it. The host
clock (`host_now`) is one for all processes of a machine. `python -m cstalk_bridge.bench.packets N`
prints its N ports, receives until its standard input is closed, and prints what it got as one
.npy array.
"""

from __future__ import annotations

import selectors
import socket
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.bench.child_process import (
    ChildProcess,
    on_closed_input,
    read_columns,
    write_columns,
)
from cstalk_bridge.bench.daemon_process import DaemonProcess
from cstalk_bridge.bench.report import Figure, Remark, figures_of, spread_of
from cstalk_bridge.rig.curves import ARKIT_CURVES
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from numpy.typing import NDArray

    from cstalk_bridge.bench.report import BenchConfig

    Floats = NDArray[np.float64]


FPS = 60.0
RATE_TOLERANCE_HZ = 0.1
LATENESS_P99_MS = 4.0
"""Without real-time priority a Linux with 250 Hz timer ticks wakes a thread up to 4 ms late."""


def measure_packets(config: BenchConfig) -> list[Figure | Remark]:
    """Run the test sound for `config.seconds` at 60 fps, ticks at ordinary priority."""
    with ReceiverProcess() as receiver, DaemonProcess("test", receiver.port) as running:
        time.sleep(config.seconds)
        measured = running.stop()
        arrivals = receiver.stop()
    return [
        *of_arrivals(arrivals),
        *figures_of("tick lateness", measured.spreads.get("lateness"), p99_ms=LATENESS_P99_MS),
        Figure("faces late, last one held", measured.drops["late"], "ticks"),
        Figure("ticks left out", measured.drops["ticks"], "ticks", maximum=0),
    ]


def of_arrivals(arrivals: Arrivals) -> list[Figure | Remark]:
    """Return the rate, what was lost and repeated, and the jitter of packets."""
    count = len(arrivals.frames)
    if count < 3:
        return [Figure("packets", count, "", minimum=3)]
    steps = np.diff(arrivals.frames)
    # The last packet is the face at rest, which leaves at once and not on a tick.
    gaps_s = np.diff(arrivals.times_s[:-1])
    return [
        Figure("packets", count, ""),
        Figure(
            "packet rate",
            1.0 / float(gaps_s.mean()),
            "packets/s",
            FPS - RATE_TOLERANCE_HZ,
            FPS + RATE_TOLERANCE_HZ,
        ),
        Figure("frame steps other than +1", int((steps != 1).sum()), "", maximum=0),
        Figure("packets lost", int(np.maximum(steps - 1, 0).sum()), "", maximum=0),
        Figure("packets repeated", int((steps < 1).sum()), "", maximum=0),
        *figures_of("arrival off its 1/60 s", spread_of(np.abs(gaps_s - 1 / FPS))),
    ]


POLL_INTERVAL_S = 0.2
"""How long a receive waits before it looks whether it shall end."""
SOCKET_BYTES = 1 << 22
"""Asked of the system as a buffer: some thousand packets."""
MAX_PACKETS = 1_000_000
"""Packets kept: 4.6 hours at 60 fps."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Packets in order: host times of arrival, frame numbers, jaw openings, each [packets].

    `streams` numbers the streams: one for each subject and port.
    """

    times_s: Floats
    frames: Floats
    jaws: Floats
    streams: Floats


class ReceiverProcess(ChildProcess):
    """The receiver as a context; `stop` ends it and returns what arrived at its `ports`."""

    def __init__(self, count: int = 1) -> None:
        super().__init__("cstalk_bridge.bench.packets", count)

    def __enter__(self) -> Self:
        super().__enter__()
        self.ports = tuple(map(int, self.read_line().split()))
        return self

    @property
    def port(self) -> int:
        """The first of its ports."""
        return self.ports[0]

    def stop(self) -> Arrivals:
        """End it; return what arrived."""
        return Arrivals(*read_columns(self.close()))


def receive(ports: Sequence[socket.socket], stop: threading.Event) -> NDArray[np.float64]:
    """Return time, frame, jaw and stream of every packet until `stop`, [4, packets]."""
    from cstalk_bridge.outputs.livelink_face import decode

    jaw = ARKIT_CURVES.index("JawOpen")
    rows: list[tuple[float, float, float, float]] = []
    streams: dict[tuple[int, str], int] = {}
    with selectors.DefaultSelector() as ready:
        for bound in ports:
            ready.register(bound, selectors.EVENT_READ)
        while not stop.is_set() and len(rows) < MAX_PACKETS:
            for key, _ in ready.select(POLL_INTERVAL_S):
                datagram = key.fileobj.recv(2048)  # type: ignore[union-attr]
                arrived_s = host_now()
                packet = decode(datagram)
                stream = streams.setdefault((key.fd, packet.subject), len(streams))
                if packet.values is not None:
                    rows.append((arrived_s, float(packet.frame), float(packet.values[jaw]), stream))
    return np.array(rows, dtype=np.float64).reshape(-1, 4).T


def receive_until_closed() -> None:
    """Receive until standard input is closed."""
    stop = threading.Event()
    with ExitStack() as closing:
        ports = [_bound(closing) for _ in range(int(sys.argv[1]))]
        print(*(bound.getsockname()[1] for bound in ports), flush=True)
        on_closed_input(stop.set)
        write_columns(receive(ports, stop))


def _bound(closing: ExitStack) -> socket.socket:
    bound = closing.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)
    bound.bind(("127.0.0.1", 0))
    return bound


if __name__ == "__main__":
    receive_until_closed()
