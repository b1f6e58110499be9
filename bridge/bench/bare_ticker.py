"""A ticker with nothing to do, in a process of its own: how late ticks are here by themselves.

`python -m bridge.bench.bare_ticker` ticks at 60 fps until its standard input is closed, and prints
the 99th percentile of its lateness in seconds.
"""

from __future__ import annotations

import math
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from bridge.clock.host import host_now
from bridge.clock.rate import FRAME_RATES
from bridge.clock.tick import Ticker
from bridge.monitor.rings import Percentiles

if TYPE_CHECKING:
    from typing import Self

KEPT = 1 << 14
"""Newest ticks kept: 4.5 minutes."""


class BareTickerProcess:
    """The ticker as a context; `stop` ends it."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "bridge.bench.bare_ticker"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def stop(self) -> float:
        """End it; return the 99th percentile of its ticks' lateness in seconds, NaN without any."""
        output, _ = self._process.communicate()
        return float(output or math.nan)


def main() -> None:
    """Tick until standard input is closed."""
    stop, lateness = threading.Event(), Percentiles(KEPT)

    def wait() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    for tick in Ticker(FRAME_RATES["60"], now=host_now):
        if stop.is_set():
            break
        lateness.add(tick.lateness_s)
    spread = lateness.spread()
    print(spread.p99_s if spread else math.nan)


if __name__ == "__main__":
    main()
