"""A face on a machine that has no time for it: does it go on, and does the state say the truth?

Three hindrances, a daemon each and nobody's real-time priority: four endless computing processes
for each core; rows that take longer than the sound they are made of; and one stall. What arrives is
held against the face that is made offline of the same recording.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.opening import SPEECH_PATH
from bridge.bench.daemon_process import DaemonProcess
from bridge.bench.figures import Figure, Remark
from bridge.bench.hindrance import Crowd, Hindrance, crowd_size
from bridge.bench.packets import FPS, RATE_TOLERANCE_HZ
from bridge.bench.receiver import ReceiverProcess
from models.timing import HOP_S, ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bridge.bench.daemon_process import Measurements, Second
    from bridge.bench.options import Options
    from bridge.bench.receiver import Arrivals

    Floats = NDArray[np.float64]

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
class Run:
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


def measure(_options: Options) -> list[Figure | Remark]:
    """Run a recording of `SECONDS` under each hindrance."""
    count = crowd_size()
    lines: list[Figure | Remark] = [
        Remark(f"look-ahead {LOOKAHEAD_MS} ms, buffer auto, 60 fps, {SECONDS:g} s a phase"),
        Remark(f"a crowd is {count} endless processes on {os.cpu_count()} cores"),
    ]
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "speech.wav"
        offline = _recorded(recording)
        with Crowd(count):
            crowded = _run(recording, offline, Hindrance())
        lines += of_run("in a crowd", crowded, CROWD_R)
        lines.append(
            Figure("in a crowd, ticks with a live face", live_share(crowded), "", CROWD_LIVE)
        )
        for row_ms, least_r in SLOW_ROWS:
            slow = _run(recording, offline, Hindrance(row_ms=row_ms))
            lines += of_run(f"rows of {row_ms:g} ms", slow, least_r)
        stalled = _run(recording, offline, Hindrance(stall_at_s=STALL_AT_S, stall_s=STALL_S))
        lines += of_stall(stalled)
    return lines


def of_run(name: str, run: Run, least_r: float) -> list[Figure | Remark]:
    """Return packet rate, likeness to the offline face, and seconds with an untrue state."""
    r, _ = run.fit(run.between(SETTLING_S, SECONDS - 1.0))
    gaps_s = np.diff(run.arrivals.times_s[:-1])
    low, high = FPS - RATE_TOLERANCE_HZ, FPS + RATE_TOLERANCE_HZ
    return [
        Figure(f"{name}, packet rate", 1.0 / float(gaps_s.mean()), "packets/s", low, high),
        Figure(f"{name}, r of the jaw, offline", r, "", least_r),
        Figure(f"{name}, live faces behind their sound", 1e3 * run.behind_s, "ms"),
        Figure(f"{name}, seconds of untrue state", len(untrue_seconds(run)), "", maximum=0),
        Remark(f"{name}: {_said(run.measured.seconds)}"),
    ]


def of_stall(run: Run) -> list[Figure | Remark]:
    """Return how soon the face was back after the stall, and whether it is as late as before."""
    _, lag_s = run.fit(run.between(SETTLING_S, STALL_AT_S - 0.5))
    end_s = lag_s - run.behind_s + HOP_S + STALL_AT_S + STALL_S
    _, later_s = run.fit(run.between(end_s + 2.0, SECONDS - 1.0))
    back_s = first_live_s(run, lag_s, end_s - 0.2)
    return [
        Figure("after a stall of 3 s, live again", back_s - end_s, "s", maximum=BACK_S),
        Figure("after it, later than before", 1e3 * (later_s - lag_s), "ms", -17.0, 17.0),
        Figure("stall, seconds of untrue state", len(untrue_seconds(run)), "", maximum=0),
        Remark(f"stall: {_said(run.measured.seconds)}"),
    ]


def live_share(run: Run) -> float:
    """Return the share of all ticks that showed the face of their time."""
    seconds = [second for second in run.measured.seconds if second.ticks]
    ticks = sum(second.ticks for second in seconds)
    return sum(second.live for second in seconds) / ticks if ticks else 0.0


def first_live_s(run: Run, lag_s: float, from_s: float) -> float:
    """Return when the first of ten packets in a row carries the offline jaw; infinite if none."""
    near = (np.abs(run.jaws(lag_s) - run.arrivals.jaws) < NEAR) & (run.shown_s >= from_s)
    places = np.flatnonzero(np.convolve(near, np.ones(10), "valid") == 10)
    return float(run.shown_s[places[0]]) if len(places) else math.inf


def untrue_seconds(run: Run) -> list[float]:
    """Return the seconds in which a face was held, by what arrived, and the state said OK."""
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


def _said(seconds: Sequence[Second]) -> str:
    """Return what the state said, second by second, shortened."""
    said = [second.state for second in seconds]
    runs = [
        (state, place) for place, state in enumerate(said) if not place or said[place - 1] != state
    ]
    ends = [place for _, place in runs[1:]] + [len(said)]
    parts = [f"{state} {end - at} s" for (state, at), end in zip(runs, ends, strict=True)]
    advice = next((second.advice for second in reversed(seconds) if second.advice), "")
    return ", ".join(parts) + (f" ({advice})" if advice else "")


def _recorded(path: Path) -> Floats:
    """Write the bundled speech over and over; return its jaw by the offline generator."""
    import soundfile

    from models import load_generator

    speech, rate_hz = soundfile.read(SPEECH_PATH, dtype="float32")
    sound = np.tile(speech, int(SECONDS * rate_hz / len(speech)) + 1)[: round(SECONDS * rate_hz)]
    soundfile.write(path, sound, rate_hz)
    generator = load_generator(device="cpu")
    face = generator.generate(sound, rate_hz, lookahead_ms=LOOKAHEAD_MS)
    return face[:, generator.channels.index("CTRL_C_jaw.ty")].astype(np.float64)


def _run(recording: Path, offline: Floats, hindrance: Hindrance) -> Run:
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
        return Run(measured, receiver.stop(), offline)
