"""The daemon as a process of its own, with all it measured kept until the end.

`python -m bridge.bench.daemon_process CONFIG` runs a config given as JSON until its standard input
is closed. It prints "ready" when it runs, and at the end its measurements as one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from bridge.errors import Problem, UserError
from bridge.monitor.rings import Percentiles, Spread
from bridge.process import MATH_THREADS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    from bridge.monitor.metrics import Metrics

MODULE = "bridge.bench.daemon_process"
KEPT = 1 << 14
"""Newest measurements kept of each kind: 4.5 minutes of ticks at 60 fps, 64 kB."""
ENDING_S = 15.0
"""How long a daemon may take to end."""


@dataclass(frozen=True, slots=True)
class Measurements:
    """Spreads by latency part, of the `total` and of the ticks' `lateness`; losses by cause."""

    spreads: dict[str, Spread]
    drops: dict[str, int]


class DaemonProcess:
    """A running daemon as a context. `environment` is what it sees, by default this process's."""

    def __init__(self, audio: str, port: int, environment: Mapping[str, str] | None = None) -> None:
        link = f"livelink-face://127.0.0.1:{port}"
        subject = {"name": "Bench", "audio": {"input": audio}, "links": [link]}
        self._config = {"fps": "60", "device": "cpu", "dashboard": False, "subjects": [subject]}
        self._environment = {**(environment or os.environ), **MATH_THREADS}

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", MODULE, json.dumps(self._config)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
            text=True,
        )
        self.process_id = self._process.pid
        if not self._process.stdout or self._process.stdout.readline() != "ready\n":
            self.__exit__()
            raise UserError(Problem("bench", "the daemon did not start; its message is above"))
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def stop(self) -> Measurements:
        """End it; return what it measured."""
        output, _ = self._process.communicate(timeout=ENDING_S)
        if self._process.returncode:
            raise UserError(Problem("bench", "the daemon failed; its message is above"))
        measured = json.loads(output)
        spreads = {name: Spread(**spread) for name, spread in measured["spreads"].items()}
        return Measurements(spreads, measured["drops"])


def measurements(metrics: Metrics) -> Measurements:
    """Return what was measured of the first subject and of the ticks."""
    subject = metrics.subjects[0]
    rings = {**subject.latency, "total": subject.total, "lateness": metrics.tick_lateness}
    spreads = {name: spread for name, ring in rings.items() if (spread := ring.spread())}
    return Measurements(spreads, {cause: rate.total for cause, rate in subject.drops.items()})


@contextmanager
def keeping(metrics: Metrics) -> Iterator[None]:
    """Keep everything that is measured, and print it at the end."""
    metrics.tick_lateness = Percentiles(KEPT)
    for subject in metrics.subjects:
        subject.latency = {part: Percentiles(KEPT) for part in subject.latency}
        subject.total = Percentiles(KEPT)
    print("ready", flush=True)
    yield
    print(json.dumps(asdict(measurements(metrics))), flush=True)


def main() -> int:
    """Run until standard input is closed."""
    from bridge import daemon
    from bridge.cli.command import guarded
    from bridge.config.schema import Config

    stop = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    config = Config.model_validate(json.loads(sys.argv[1]))
    return guarded(lambda: daemon.run(config, stop=stop, watch=keeping, is_urgent=False))


if __name__ == "__main__":
    sys.exit(main())
