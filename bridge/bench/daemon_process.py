"""The daemon as a process of its own, with all it measured kept until it is asked for.

`python -m bridge.bench.daemon_process CONFIG` runs a config given as JSON until its standard input
is closed. It prints "ready" when it runs, and for each line it is sent, and at the end, what it
measured since the last time as one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from bridge.clock.host import host_now
from bridge.errors import Problem, UserError
from bridge.monitor.health import health
from bridge.monitor.rings import Percentiles, Spread
from bridge.process import MATH_THREADS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    from bridge.monitor.metrics import Metrics

MODULE = "bridge.bench.daemon_process"
KEPT = 1 << 14
"""Newest measurements kept of each kind: 4.5 minutes of ticks at 60 fps, 64 kB."""
KEPT_SECONDS = 600
"""Newest seconds of which the state is kept, so that a soak measures the program and not this."""
ENDING_S = 15.0
"""How long a daemon may take to end."""


@dataclass(frozen=True, slots=True)
class Second:
    """The state of the first subject at host time `end_s`, and its ticks of the second before."""

    end_s: float
    state: str
    advice: str
    ticks: int
    live: int


@dataclass(frozen=True, slots=True)
class Measurements:
    """Spreads by latency part, of the `total`, of the ticks' `lateness` and their work, `send`.

    Losses by cause, since the start; time on the processor, of all threads; every second since the
    start.
    """

    spreads: dict[str, Spread]
    drops: dict[str, int]
    cpu_s: float
    seconds: tuple[Second, ...] = ()


class DaemonProcess:
    """A running daemon as a context: one subject that hears `audio` and sends to a local port.

    `environment` is what it sees, by default this process's; `settings` are keys of the config, in
    place of the usual ones.
    """

    def __init__(
        self,
        audio: str,
        port: int,
        environment: Mapping[str, str] | None = None,
        **settings: object,
    ) -> None:
        link = f"livelink-face://127.0.0.1:{port}"
        subject = {"name": "Bench", "audio": {"input": audio}, "links": [link]}
        self._config = {
            "fps": "60",
            "device": "cpu",
            "dashboard": False,
            "subjects": [subject],
            **settings,
        }
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

    def measured(self) -> Measurements:
        """Return what it measured since the start or the last call."""
        process = self._process
        if not process.stdin or not process.stdout:
            raise RuntimeError("the daemon has no pipes")
        process.stdin.write("\n")
        process.stdin.flush()
        return _read(process.stdout.readline())

    def stop(self) -> Measurements:
        """End it; return what it measured since the start or the last `measured`."""
        output, _ = self._process.communicate(timeout=ENDING_S)
        if self._process.returncode:
            raise UserError(Problem("bench", "the daemon failed; its message is above"))
        return _read(output)


def _read(line: str) -> Measurements:
    if not line:
        raise UserError(Problem("bench", "the daemon failed; its message is above"))
    told = json.loads(line)
    spreads = {name: Spread(**spread) for name, spread in told["spreads"].items()}
    seconds = tuple(Second(**second) for second in told["seconds"])
    return Measurements(spreads, told["drops"], told["cpu_s"], seconds)


def measurements(metrics: Metrics, cpu_s: float) -> Measurements:
    """Return what was measured of the first subject and of the ticks."""
    subject = metrics.subjects[0]
    rings = {**subject.latency, "total": subject.total, "lateness": metrics.tick_lateness}
    rings |= {"send": metrics.send, "step": metrics.inference}
    spreads = {name: spread for name, ring in rings.items() if (spread := ring.spread())}
    drops = {cause: rate.total for cause, rate in subject.drops.items()}
    return Measurements(spreads, drops, cpu_s)


class Keeper:
    """Keeps everything that a daemon measures, and prints it when it is asked to."""

    def __init__(self) -> None:
        self._seconds: deque[Second] = deque(maxlen=KEPT_SECONDS)

    @contextmanager
    def watch(self, metrics: Metrics) -> Iterator[None]:
        """Keep what these metrics get, and print it at the end."""
        self._metrics = metrics
        self._rings = [_rings(metrics), _rings(metrics)]
        self._begin()
        over = threading.Event()
        watching = threading.Thread(target=self._watch_state, args=(over,), daemon=True)
        watching.start()
        print("ready", flush=True)
        yield
        over.set()
        watching.join()
        self.tell()

    def tell(self) -> None:
        """Print what was measured, and begin anew."""
        told = measurements(self._metrics, time.process_time() - self._begun_cpu_s)
        told = replace(told, seconds=tuple(self._seconds))
        self._begin()
        print(json.dumps(asdict(told)), flush=True)

    def _watch_state(self, over: threading.Event) -> None:
        """Note the state of the first subject every second."""
        subject = self._metrics.subjects[0]
        while not over.wait(1.0):
            now_s = host_now()
            found = health(self._metrics, subject, now_s)
            shown = subject.shown.recent(now_s, 1.0)
            ticks = shown.live + shown.missed
            self._seconds.append(Second(now_s, found.state.value, found.advice, ticks, shown.live))

    def _begin(self) -> None:
        """Let the rings be written that were not, so that measuring takes no memory anew."""
        self._begun_cpu_s = time.process_time()
        self._rings.reverse()
        rings = self._rings[0]
        for ring in rings.values():
            ring.clear()
        self._metrics.tick_lateness, self._metrics.send = rings["lateness"], rings["send"]
        self._metrics.inference = rings["step"]
        for number, subject in enumerate(self._metrics.subjects):
            subject.latency = {part: rings[f"{part} {number}"] for part in subject.latency}
            subject.total = rings[f"total {number}"]


def _rings(metrics: Metrics) -> dict[str, Percentiles]:
    """Return a ring for all that is measured."""
    names = ["lateness", "send", "step"]
    for number, subject in enumerate(metrics.subjects):
        names += [f"{part} {number}" for part in (*subject.latency, "total")]
    return {name: Percentiles(KEPT) for name in names}


def main() -> int:
    """Run until standard input is closed."""
    from bridge import daemon
    from bridge.bench.hindrance import Hindrance
    from bridge.cli.command import guarded
    from bridge.config.schema import Config

    Hindrance.of(os.environ).apply()
    stop, keeper = threading.Event(), Keeper()

    def wait() -> None:
        for _ in sys.stdin:
            keeper.tell()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    config = Config.model_validate(json.loads(sys.argv[1]))
    return guarded(lambda: daemon.run(config, stop=stop, watch=keeper.watch, is_urgent=False))


if __name__ == "__main__":
    sys.exit(main())
