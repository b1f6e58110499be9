"""Sound in, packets out on loopback: does every frame leave once, and on time?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from bridge.bench.daemon_process import DaemonProcess
from bridge.bench.figures import Figure, Remark, figures_of, spread_of
from bridge.bench.receiver import Arrivals, ReceiverProcess

if TYPE_CHECKING:
    from bridge.bench.options import Options

FPS = 60.0
RATE_TOLERANCE_HZ = 0.1
LATENESS_P99_MS = 4.0
"""Without real-time priority a Linux with 250 Hz timer ticks wakes a thread up to 4 ms late."""


def measure(options: Options) -> list[Figure | Remark]:
    """Run the test sound for `options.seconds` at 60 fps, ticks at ordinary priority."""
    with ReceiverProcess() as receiver, DaemonProcess("test", receiver.port) as running:
        time.sleep(options.seconds)
        measured = running.stop()
        arrivals = receiver.stop()
    return [
        *of_arrivals(arrivals),
        *figures_of("tick lateness", measured.spreads.get("lateness"), p99_ms=LATENESS_P99_MS),
        Figure("faces not ready in time, held", measured.drops["late"], "ticks"),
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
