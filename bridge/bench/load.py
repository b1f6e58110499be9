"""Sections `links`, `busy` and `faces`: many subjects to many targets, a machine without time for a
face, and the number of faces that it can carry.

For comparison `links` measures a ticker alone, in a process of its own:
`python -m cstalk_bridge.bench.load` ticks at 60 fps until its standard input is closed, and prints
the 99th percentile of its lateness in seconds.

`busy` runs a daemon at ordinary priority under each of three hindrances: four endless computing
processes for each core, rows that take longer than the sound they are made of, and one stall. The
received face is compared with the offline face of the same recording.
"""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.bench.daemon_process import (
    ChildProcess,
    DaemonProcess,
    Hindrance,
    free_port,
    on_closed_input,
)
from cstalk_bridge.bench.packets import FPS, LATENESS_P99_MS, RATE_TOLERANCE_HZ, ReceiverProcess
from cstalk_bridge.bench.report import Figure, Remark, figures_of
from cstalk_bridge.bench.soak import NonReadingClient
from cstalk_bridge.models.timing import HOP_S, ROW_RATE_HZ
from cstalk_bridge.monitor.metrics import Percentiles
from cstalk_bridge.timecode.smpte import FRAME_RATES
from cstalk_bridge.timecode.tick import Ticker, host_now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from numpy.typing import NDArray

    from cstalk_bridge.bench.daemon_process import Measurements, SecondState
    from cstalk_bridge.bench.packets import Arrivals
    from cstalk_bridge.bench.report import BenchConfig

    Floats = NDArray[np.float64]


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
        super().__init__("cstalk_bridge.bench.load")

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


class Crowd:
    """`count` processes of ordinary priority that compute without end, as a context."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        command = [sys.executable, "-c", "while True: pass"]
        self._processes = [subprocess.Popen(command) for _ in range(self._count)]
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


def crowd_size() -> int:
    """Return how many processes make this machine busy: four for each core."""
    return 4 * (os.cpu_count() or 1)


MANY = 64
FEW = 8
TICK_ROOM = 0.5
"""Share of a tick's 1/60 s up to which faces have room: the other half is the network's."""
HOP_ROOM = 0.5
"""The same of a hop's 20 ms for the network."""
FACES_SETTLING_S = 3.0


def measure_faces(config: BenchConfig) -> list[Figure | Remark]:
    """Run `FEW` and `MANY` subjects with a target each, for a third of `config.seconds`."""
    seconds = config.seconds / 3
    few, _ = _run_faces(FEW, seconds)
    many, arrivals = _run_faces(MANY, seconds)
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


def _run_faces(subjects: int, seconds: float) -> tuple[Measurements, Arrivals]:
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
        time.sleep(FACES_SETTLING_S)
        running.measured()
        time.sleep(seconds)
        return running.stop(), receiver.stop()


LOOKAHEAD_MS = 80
CROWD_R, CROWD_LIVE = 0.97, 0.99
SLOW_ROWS = ((22.0, 0.9), (40.0, 0.75), (100.0, 0.5))
"""Milliseconds that a row takes, and the least r of the jaw with the offline face."""
SECONDS = 24.0
"""Of each phase; SETTLING_S at its start are left out."""
SETTLING_S = 2.0
STALL_AT_S, STALL_S = 8.0, 3.0
BACK_S = 0.5
"""Within this a face is live again after a stall."""
LAGS_S = np.arange(-0.3, 1.2, 0.005)
"""Lags tried, from the first packet to the begin of the face."""
MOVING = 0.08
"""Range of the offline jaw in a second in which it can be seen whether the face follows."""
STILL = 0.002
"""Change of the offline jaw from one packet to the next below which nothing is to be seen."""
FROZEN = 0.2
"""Share of packets that repeat the jaw before them from which a moving face is held."""
NEAR = 0.03
"""Difference of two jaws that are the same: a fiftieth of an opening."""


@dataclass(frozen=True, slots=True)
class HinderedRun:
    """What a daemon did under a hindrance, and the offline jaw at 50 Hz."""

    measured: Measurements
    arrivals: Arrivals
    offline: Floats

    @property
    def shown_s(self) -> Floats:
        """Presentation times of the packets by their frame numbers, the first's 0, [packets]."""
        frames = self.arrivals.frames
        return np.asarray((frames - frames[0]) / FPS)

    @property
    def behind_s(self) -> float:
        """How long after its sound a face leaves, by what the daemon measured."""
        total = self.measured.spreads.get("total")
        return 1e-3 * LOOKAHEAD_MS + (total.median_s if total else math.nan)

    def jaws(self, lag_s: float) -> Floats:
        """Return the offline jaw of each packet, [packets], when the face began at a lag."""
        rows = (self.shown_s - lag_s) * ROW_RATE_HZ
        return np.interp(rows, np.arange(len(self.offline)), self.offline)

    def fit(self, inside: NDArray[np.bool_]) -> tuple[float, float]:
        """Return the greatest r of some packets with the offline face, and its lag in s."""
        jaws = self.arrivals.jaws[inside]
        found = [_correlation(self.jaws(lag_s)[inside], jaws) for lag_s in LAGS_S]
        best = int(np.argmax(found))
        return found[best], float(LAGS_S[best])

    def between(self, start_s: float, end_s: float) -> NDArray[np.bool_]:
        """Return which packets are of that time after the first."""
        return (self.shown_s >= start_s) & (self.shown_s < end_s)


def measure_busy(_options: BenchConfig) -> list[Figure | Remark]:
    """Run a recording of `SECONDS` under each hindrance."""
    count = crowd_size()
    lines: list[Figure | Remark] = [
        Remark(f"look-ahead {LOOKAHEAD_MS} ms, buffer auto, 60 fps, {SECONDS:g} s a phase"),
        Remark(f"busy: {count} processes without end on {os.cpu_count()} cores"),
    ]
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "speech.wav"
        offline = _recorded(recording)
        with Crowd(count):
            crowded = _run_hindered(recording, offline, Hindrance())
        lines += of_run("in a crowd", crowded, CROWD_R)
        lines.append(
            Figure("busy machine, ticks with a live face", live_share(crowded), "", CROWD_LIVE)
        )
        for row_ms, least_r in SLOW_ROWS:
            slow = _run_hindered(recording, offline, Hindrance(row_ms=row_ms))
            lines += of_run(f"rows of {row_ms:g} ms", slow, least_r)
        stalled = _run_hindered(
            recording, offline, Hindrance(stall_at_s=STALL_AT_S, stall_s=STALL_S)
        )
        lines += of_stall(stalled)
    return lines


def of_run(name: str, run: HinderedRun, least_r: float) -> list[Figure | Remark]:
    """Return packet rate, likeness to the offline face, and seconds with an untrue state."""
    r, _ = run.fit(run.between(SETTLING_S, SECONDS - 1.0))
    gaps_s = np.diff(run.arrivals.times_s[:-1])
    low, high = FPS - RATE_TOLERANCE_HZ, FPS + RATE_TOLERANCE_HZ
    return [
        Figure(f"{name}, packet rate", 1.0 / float(gaps_s.mean()), "packets/s", low, high),
        Figure(f"{name}, r of the jaw, offline", r, "", least_r),
        Figure(f"{name}, live faces behind their sound", 1e3 * run.behind_s, "ms"),
        Figure(f"{name}, seconds of untrue state", len(untrue_seconds(run)), "", maximum=0),
        Remark(f"{name}: {_states(run.measured.seconds)}"),
    ]


def of_stall(run: HinderedRun) -> list[Figure | Remark]:
    """Return how soon the face was back after the stall, and whether it is as late as before."""
    _, lag_s = run.fit(run.between(SETTLING_S, STALL_AT_S - 0.5))
    end_s = lag_s - run.behind_s + HOP_S + STALL_AT_S + STALL_S
    _, later_s = run.fit(run.between(end_s + 2.0, SECONDS - 1.0))
    back_s = first_live_s(run, lag_s, end_s - 0.2)
    return [
        Figure("after a stall of 3 s, live again", back_s - end_s, "s", maximum=BACK_S),
        Figure("clock behind after it", 1e3 * (later_s - lag_s), "ms", -17.0, 17.0),
        Figure("stall, seconds of untrue state", len(untrue_seconds(run)), "", maximum=0),
        Remark(f"stall: {_states(run.measured.seconds)}"),
    ]


def live_share(run: HinderedRun) -> float:
    """Return the share of all ticks that showed the face of their time."""
    seconds = [second for second in run.measured.seconds if second.ticks]
    ticks = sum(second.ticks for second in seconds)
    return sum(second.live for second in seconds) / ticks if ticks else 0.0


def first_live_s(run: HinderedRun, lag_s: float, from_s: float) -> float:
    """Return when the first of ten packets in a row carries the offline jaw; infinite if none."""
    near = (np.abs(run.jaws(lag_s) - run.arrivals.jaws) < NEAR) & (run.shown_s >= from_s)
    places = np.flatnonzero(np.convolve(near, np.ones(10), "valid") == 10)
    return float(run.shown_s[places[0]]) if len(places) else math.inf


def untrue_seconds(run: HinderedRun) -> list[float]:
    """Return the seconds in which a face was held, by what arrived, and the state was OK."""
    times_s, jaws = run.arrivals.times_s, run.arrivals.jaws
    _, lag_s = run.fit(run.between(SETTLING_S, SECONDS - 1.0))
    offline = run.jaws(lag_s)
    untrue = []
    for second in run.measured.seconds:
        inside = (times_s > second.end_s - 1.0) & (times_s <= second.end_s)
        wanted = offline[inside]
        if inside.sum() < 2 or np.ptp(wanted) < MOVING:
            continue
        moves = np.abs(np.diff(wanted)) > STILL
        repeated = float((np.diff(jaws[inside])[moves] == 0.0).mean()) if moves.any() else 0.0
        if repeated > FROZEN and second.state == "OK":
            untrue.append(second.end_s)
    return untrue


def _correlation(one: Floats, other: Floats) -> float:
    if np.ptp(one) == 0.0 or np.ptp(other) == 0.0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _states(seconds: Sequence[SecondState]) -> str:
    """Return the states second by second, shortened."""
    states = [second.state for second in seconds]
    runs = [
        (state, place)
        for place, state in enumerate(states)
        if not place or states[place - 1] != state
    ]
    ends = [place for _, place in runs[1:]] + [len(states)]
    parts = [f"{state} {end - at} s" for (state, at), end in zip(runs, ends, strict=True)]
    advice = next((second.advice for second in reversed(seconds) if second.advice), "")
    return ", ".join(parts) + (f" ({advice})" if advice else "")


def _recorded(path: Path) -> Floats:
    """Write the bundled speech over and over; return its jaw by the offline generator."""
    import soundfile

    from cstalk_bridge.models import load_generator

    speech, rate_hz = soundfile.read(SPEECH_PATH, dtype="float32")
    sound = np.tile(speech, int(SECONDS * rate_hz / len(speech)) + 1)[: round(SECONDS * rate_hz)]
    soundfile.write(path, sound, rate_hz)
    generator = load_generator(device="cpu")
    face = generator.generate(sound, rate_hz, lookahead_ms=LOOKAHEAD_MS)
    return face[:, generator.channels.index("CTRL_C_jaw.ty")].astype(np.float64)


def _run_hindered(recording: Path, offline: Floats, hindrance: Hindrance) -> HinderedRun:
    environment = {**os.environ, **hindrance.environment}
    with ExitStack() as closing:
        receiver = closing.enter_context(ReceiverProcess())
        links = [f"livelink-face://127.0.0.1:{receiver.port}"]
        subject = {"name": "Bench", "audio": {"input": str(recording)}, "links": links}
        running = closing.enter_context(
            DaemonProcess(
                str(recording),
                receiver.port,
                environment,
                subjects=[{**subject, "alive": False}],
                lookahead_ms=LOOKAHEAD_MS,
            )
        )
        time.sleep(SECONDS - 0.5)
        measured = running.stop()
        return HinderedRun(measured, receiver.stop(), offline)


if __name__ == "__main__":
    tick_until_closed()
