"""Child processes of the bench, and the daemon as one of them, with its measurements and
hindrances.

A child process is a module run by `python -m`: it prints a line when it is ready, runs until its
standard input is closed, and writes its results to standard output. Processes of their own do not
slow each other down.

`python -m cstalk_bridge.bench.daemon_process CONFIG` runs a config given as JSON. It prints "ready"
when it runs; for each line that it receives, and at the end, it prints its measurements since the
last time as one line of JSON.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.cstalk.generator import Generator
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.monitor.health import health
from cstalk_bridge.monitor.metrics import Percentiles, Spread
from cstalk_bridge.system.process import MATH_THREADS
from cstalk_bridge.system.worker import Worker
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, Self

    from numpy.typing import NDArray

    from cstalk_bridge.models.cstalk.streaming import Stream
    from cstalk_bridge.monitor.metrics import Metrics


class ChildProcess:
    """A module as a child process; leaving the context kills it if it still runs."""

    def __init__(
        self, module: str, *arguments: object, environment: Mapping[str, str] | None = None
    ) -> None:
        self._command = [sys.executable, "-m", module, *map(str, arguments)]
        self._environment = environment

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._environment
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def process_id(self) -> int:
        """Number of the process."""
        return self._process.pid

    def read_line(self) -> str:
        """Wait for a line and return it stripped; empty when the output has ended."""
        return _pipe(self._process.stdout).readline().decode().strip()

    def request(self) -> str:
        """Send an empty line and return the line that answers it, empty when the child ended."""
        pipe = _pipe(self._process.stdin)
        pipe.write(b"\n")
        pipe.flush()
        return self.read_line()

    def close(self, timeout_s: float | None = None) -> bytes:
        """Close its input, wait for its end, and return the rest of its output.

        Raises RuntimeError when it failed, and `subprocess.TimeoutExpired`.
        """
        output, _ = self._process.communicate(timeout=timeout_s)
        if self._process.returncode:
            raise RuntimeError(f"{self._command[2]} failed with {self._process.returncode}")
        return output

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it as hard as the system can, and wait for its end."""
        self._process.kill()
        self._process.communicate()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("the child process has no pipes")
    return pipe


def on_closed_input(
    stop: Callable[[], object], on_line: Callable[[], object] | None = None
) -> None:
    """In a child: call `on_line` for each line of standard input, and `stop` when it is closed."""

    def wait() -> None:
        for _ in sys.stdin:
            if on_line is not None:
                on_line()
        stop()

    Worker("stdin", wait).start()


def write_columns(columns: NDArray[np.float64]) -> None:
    """In a child: write float64 `[columns, rows]` as its results."""
    np.save(sys.stdout.buffer, columns)


def read_columns(output: bytes) -> NDArray[np.float64]:
    """Return what `write_columns` wrote, `[columns, rows]`."""
    columns: NDArray[np.float64] = np.load(BytesIO(output), allow_pickle=False)
    return columns


def resident_mb(process_id: int) -> float | None:
    """Return the resident memory of a process in MB (10^6 bytes); None where it is not known.

    Linux: `VmRSS` of /proc. macOS: the output of `ps`. Windows has neither.
    """
    if sys.platform == "linux":
        status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii", errors="replace")
        return next(
            int(line.split()[1]) * 1024e-6
            for line in status.splitlines()
            if line.startswith("VmRSS:")
        )
    if sys.platform == "darwin":
        command = ["/bin/ps", "-o", "rss=", "-p", str(process_id)]
        shown = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(shown.stdout) * 1024e-6
    return None


@contextmanager
def bound_port() -> Iterator[tuple[socket.socket, int]]:
    """Give a UDP socket at a local port, and that port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound, int(bound.getsockname()[1])


def free_port(kind: socket.SocketKind) -> int:
    """Return a local port that nobody has."""
    with socket.socket(socket.AF_INET, kind) as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


SLOW_ROW_VARIABLE = "CSTALK_BENCH_ROW_MS"
STALL_AT_VARIABLE, STALL_VARIABLE = "CSTALK_BENCH_STALL_AT_S", "CSTALK_BENCH_STALL_S"
"""Environment variables by which a bench hinders its daemon."""


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Each step of the network takes `row_ms` at least; one step lasts `stall_s` more.

    That is the first one after `stall_at_s` seconds. Zeros hinder nothing.
    """

    row_ms: float = 0.0
    stall_at_s: float = 0.0
    stall_s: float = 0.0

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Hindrance:
        """Return the hindrance that an environment asks for."""
        names = (SLOW_ROW_VARIABLE, STALL_AT_VARIABLE, STALL_VARIABLE)
        return cls(*(float(environment.get(name, 0.0)) for name in names))

    @property
    def environment(self) -> dict[str, str]:
        """This as environment variables."""
        values = (self.row_ms, self.stall_at_s, self.stall_s)
        return dict(
            zip(
                (SLOW_ROW_VARIABLE, STALL_AT_VARIABLE, STALL_VARIABLE),
                map(str, values),
                strict=True,
            )
        )

    def apply(self) -> None:
        """Hinder every stream that this process opens from now on."""
        if not self.row_ms and not self.stall_s:
            return
        opened = Generator.stream

        def stream(generator: Generator, subjects: int) -> HinderedStream:
            return HinderedStream(opened(generator, subjects), self)

        hindered: Any = Generator
        hindered.stream = stream


class HinderedStream:
    """A stream whose steps take longer than they need."""

    def __init__(self, stream: Stream, hindrance: Hindrance) -> None:
        self._stream = stream
        self._hindrance = hindrance
        self._is_live = False
        self._begun_s = 0.0
        self._stall_s = hindrance.stall_s

    def step(self, *arguments: Any) -> Any:
        """Step, and wait until the time is over; rows of a warm-up are not slowed."""
        start_s = host_now()
        faces = self._stream.step(*arguments)
        if not self._is_live:
            return faces
        self._begun_s = self._begun_s or start_s
        wait_s = 1e-3 * self._hindrance.row_ms
        if self._stall_s and start_s - self._begun_s >= self._hindrance.stall_at_s:
            wait_s += self._stall_s
            self._stall_s = 0.0
        time.sleep(max(0.0, wait_s - (host_now() - start_s)))
        return faces

    def reset(self, voices: Any) -> None:
        """Reset; the first time that is the end of the warm-up."""
        self._is_live = True
        self._stream.reset(voices)


MODULE = "cstalk_bridge.bench.daemon_process"
KEPT = 1 << 14
"""Newest measurements kept of each kind: 4.5 minutes of ticks at 60 fps, 64 kB."""
KEPT_SECONDS = 600
"""Newest seconds of which the state is kept, so that a soak measures the program and not this."""
ENDING_S = 15.0
"""How long a daemon may take to end."""


@dataclass(frozen=True, slots=True)
class SecondState:
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
    start; gaps and jumps of the passthrough since the start.
    """

    spreads: dict[str, Spread]
    drops: dict[str, int]
    cpu_s: float
    seconds: tuple[SecondState, ...] = ()
    passthrough_gaps: int = 0
    passthrough_jumps: int = 0


class DaemonProcess(ChildProcess):
    """A running daemon as a context: one subject takes `audio` and sends to a local port.

    `environment` is what it sees, by default this process's; `settings` are keys of the config, in
    place of the defaults.
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
        config = {
            "fps": "60",
            "device": "cpu",
            "dashboard": False,
            "subjects": [subject],
            **settings,
        }
        environment = {**(environment or os.environ), **MATH_THREADS}
        super().__init__(MODULE, json.dumps(config), environment=environment)

    def __enter__(self) -> Self:
        super().__enter__()
        if self.read_line() != "ready":
            self.kill()
            raise UserError(Problem("bench", "the daemon did not start; its message is above"))
        return self

    def measured(self) -> Measurements:
        """Return what it measured since the start or the last call."""
        return _read(self.request())

    def stop(self) -> Measurements:
        """End it; return what it measured since the start or the last `measured`."""
        try:
            return _read(self.close(ENDING_S))
        except RuntimeError:
            raise UserError(FAILED) from None


FAILED = Problem("bench", "the daemon failed; its message is above")


def _read(line: str | bytes) -> Measurements:
    if not line:
        raise UserError(FAILED)
    measured = json.loads(line)
    measured["spreads"] = {name: Spread(**each) for name, each in measured["spreads"].items()}
    measured["seconds"] = tuple(SecondState(**second) for second in measured["seconds"])
    return Measurements(**measured)


def measurements(metrics: Metrics, cpu_s: float) -> Measurements:
    """Return what was measured of the first subject and of the ticks."""
    subject = metrics.subjects[0]
    rings = {**subject.latency, "total": subject.total, "lateness": metrics.tick_lateness}
    rings |= {"send": metrics.send, "step": metrics.inference}
    spreads = {name: spread for name, ring in rings.items() if (spread := ring.spread())}
    drops = {cause: rate.total for cause, rate in subject.drops.items()}
    played = subject.passthrough
    gaps, jumps = (0, 0) if played is None else (played.underruns, played.jumps)
    return Measurements(spreads, drops, cpu_s, passthrough_gaps=gaps, passthrough_jumps=jumps)


class MeasurementLog:
    """Keeps everything that a daemon measures, and prints it when it is asked to."""

    def __init__(self) -> None:
        self._seconds: deque[SecondState] = deque(maxlen=KEPT_SECONDS)

    @contextmanager
    def watch(self, metrics: Metrics) -> Iterator[None]:
        """Keep what these metrics get, and print it at the end."""
        self._metrics = metrics
        self._rings = [_rings(metrics), _rings(metrics)]
        self._begin()
        self._watching = Worker("state", self._watch_state)
        with self._watching:
            print("ready", flush=True)
            yield
        self.print()

    def print(self) -> None:
        """Print what was measured, and begin anew."""
        measured = measurements(self._metrics, time.process_time() - self._begun_cpu_s)
        measured = replace(measured, seconds=tuple(self._seconds))
        self._begin()
        print(json.dumps(asdict(measured)), flush=True)

    def _watch_state(self) -> None:
        """Note the state of the first subject every second."""
        subject = self._metrics.subjects[0]
        while not self._watching.wait(1.0):
            now_s = host_now()
            found = health(self._metrics, subject, now_s)
            shown = subject.shown.recent(now_s, 1.0)
            ticks = shown.live + shown.missed
            self._seconds.append(
                SecondState(now_s, found.state.value, found.advice, ticks, shown.live)
            )

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


SYNC_TEST_VARIABLE = "CSTALK_BENCH_SYNC_TEST"
"""Environment variable by which a bench runs the sync test."""


def main() -> int:
    """Run until standard input is closed."""
    from cstalk_bridge import daemon
    from cstalk_bridge.config.schema import Config
    from cstalk_bridge.system.process import guarded

    Hindrance.of(os.environ).apply()
    stop, log = threading.Event(), MeasurementLog()
    on_closed_input(stop.set, log.print)
    config = Config.model_validate(json.loads(sys.argv[1]))
    is_sync_test = SYNC_TEST_VARIABLE in os.environ
    return guarded(
        lambda: daemon.run(
            config, stop=stop, watch=log.watch, is_urgent=False, is_sync_test=is_sync_test
        )
    )


if __name__ == "__main__":
    sys.exit(main())
