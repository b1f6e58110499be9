"""Section `passthrough`: the sound on a virtual cable against the packets of the face.

Claps come through a fake microphone whose clock is wrong; the sync test opens the mouth at each.
The cable's monitor is recorded, as OBS would, by a process of its own, and another one receives the
packets. `python -m cstalk_bridge.bench.passthrough DEVICE` prints "ready", records until its
standard input is closed, and prints when claps began as one .npy array, `[2, claps]`: by the
driver's time stamps, and by those that OBS gives.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cstalk_bridge.bench.daemon_process import (
    SYNC_TEST_VARIABLE,
    ChildProcess,
    DaemonProcess,
    on_closed_input,
    read_columns,
    write_columns,
)
from cstalk_bridge.bench.microphone import FakeMicrophones
from cstalk_bridge.bench.packets import ReceiverProcess
from cstalk_bridge.bench.report import Figure, Remark
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cstalk_bridge.bench.packets import Arrivals
    from cstalk_bridge.bench.report import BenchConfig

    Floats = NDArray[np.float64]


LIMIT_MS: Final = 5.0
"""Distance of sound and face at most, for 95 of 100 claps and on the mean."""

CLOCK_PPM: Final = 100.0
"""How much too fast the clock of the fake microphone is."""

CLAPS_S: Final = (0.3, 1.41, 2.53, 3.6, 4.77, 5.85, 6.96, 8.02, 9.19)
"""Claps of a round of `ROUND_S`, at odd distances, so that ticks and blocks fall anywhere."""

ROUND_S: Final = 10.0
RATE_HZ: Final = 48000
SETTLING_S: Final = 10.0
"""Time from the start whose claps do not count: clocks are still unknown."""

PAIR_S: Final = 0.3
"""Distance within which a clap and an opening belong together."""

ONSET: Final = 0.2
"""Amplitude at which a clap on the cable begins; its peak is `PEAK`."""

PEAK: Final = 0.6
REST_S: Final = 0.4


def claps() -> NDArray[np.int16]:
    """Return a round of claps, [frames]."""
    played = np.zeros(round(ROUND_S * RATE_HZ))
    time_s = np.arange(round(0.1 * RATE_HZ)) / RATE_HZ
    clap = PEAK * np.cos(2.0 * np.pi * 1000.0 * time_s) * np.exp(-time_s / 0.02)
    for begin_s in CLAPS_S:
        begin = round(begin_s * RATE_HZ)
        played[begin : begin + len(clap)] = clap
    return np.asarray(32767 * played, dtype=np.int16)


def openings(arrivals: Arrivals) -> Floats:
    """Return when the mouth was half open on its way up, host times [claps]."""
    jaws, times_s = arrivals.jaws, arrivals.times_s
    half = 0.5 * float(jaws.max())
    after = np.flatnonzero((jaws[:-1] < half) & (jaws[1:] >= half))
    share = (half - jaws[after]) / (jaws[after + 1] - jaws[after])
    return np.asarray(times_s[after] + share * (times_s[after + 1] - times_s[after]))


def offsets(heard_s: Floats, seen_s: Floats) -> tuple[Floats, Floats]:
    """Return the times of the openings that have a clap, and by how much the sound is later."""
    nearest = np.abs(heard_s[:, None] - seen_s).argmin(axis=0)
    later_s = heard_s[nearest] - seen_s
    paired = np.abs(later_s) < PAIR_S
    return seen_s[paired], later_s[paired]


def measure_passthrough(config: BenchConfig) -> list[Figure | Remark]:
    """Run for `config.minutes` and compare each clap on the cable with the opening of the mouth."""
    with ExitStack() as closing:
        microphones = closing.enter_context(
            FakeMicrophones(rate_hz=RATE_HZ, cables=("cable",), clock_ppm=CLOCK_PPM)
        )
        environment = microphones.environment | {SYNC_TEST_VARIABLE: "1"}
        receiver = closing.enter_context(ReceiverProcess())
        recorder = ChildProcess(
            "cstalk_bridge.bench.passthrough", "cable_monitor", environment=environment
        )
        closing.enter_context(recorder)
        recorder.read_line()
        subject = {
            "name": "Bench",
            "audio": {"input": "mic_a"},
            "passthrough": {"device": "cable"},
            "links": [f"livelink-face://127.0.0.1:{receiver.port}"],
        }
        running = closing.enter_context(
            DaemonProcess("mic_a", receiver.port, environment, subjects=[subject])
        )
        microphones.play("mic_a", claps(), is_loop=True)
        begun_s = host_now()
        time.sleep(60.0 * config.minutes)
        measured = running.stop()
        stamped_s, in_obs_s = read_columns(recorder.close())
        seen_s = openings(receiver.stop())
    seen_s = seen_s[seen_s > begun_s + SETTLING_S]
    times_s, later_s = offsets(stamped_s, seen_s)
    _, later_in_obs_s = offsets(in_obs_s, seen_s)
    return [
        Remark(f"microphone {CLOCK_PPM:g} ppm fast; sound less face, above 0 where it is later"),
        *_figures(times_s, 1e3 * later_s),
        *_figures_in_obs(1e3 * later_in_obs_s),
        Figure("openings without a clap", len(seen_s) - len(times_s), "", maximum=0.0),
        Figure("gaps in the sound", measured.passthrough_gaps, "", maximum=GAPS * config.minutes),
        Figure("jumps of the sound", measured.passthrough_jumps, ""),
    ]


GAPS: Final = 1.0
"""Gaps tolerated in a minute."""


def _figures(times_s: Floats, later_ms: Floats) -> list[Figure | Remark]:
    if len(later_ms) < 2:
        return [Figure("claps compared", len(later_ms), "", minimum=2)]
    apart_ms = np.abs(later_ms)
    slope = float(np.polyfit(times_s - times_s[0], later_ms, 1)[0])
    drift_ms = slope * float(times_s[-1] - times_s[0])
    return [
        Figure("claps compared", len(later_ms), ""),
        Figure("sound less face, mean", float(later_ms.mean()), "ms", -LIMIT_MS, LIMIT_MS),
        Figure("distance, median", float(np.median(apart_ms)), "ms"),
        Figure("distance, p95", float(np.percentile(apart_ms, 95)), "ms", maximum=LIMIT_MS),
        Figure("distance, greatest", float(apart_ms.max()), "ms"),
        Figure("drift from the first to the last", drift_ms, "ms", -LIMIT_MS, LIMIT_MS),
    ]


def _figures_in_obs(later_ms: Floats) -> list[Figure | Remark]:
    """Return figures whose mean depends on the blocks of the server: `delay_ms` corrects it."""
    if len(later_ms) < 2:
        return []
    apart_ms = float(np.percentile(np.abs(later_ms - np.median(later_ms)), 95))
    return [
        Figure("with the stamps of OBS, median", float(np.median(later_ms)), "ms"),
        Figure("distance from it, p95", apart_ms, "ms", maximum=LIMIT_MS),
    ]


SMOOTHED_S: Final = 0.070
"""TS_SMOOTHING_THRESHOLD of OBS (libobs/obs-source.c): sound whose stamp is off by less follows the
sound before it without a gap. The stamp is the time of arrival, less the length."""


def record(device: str, stop: threading.Event) -> Floats:
    """Return the host times at which claps began on an input device until `stop`, [2, claps].

    They are those of the driver's stamps, and those that OBS gives.
    """
    import sounddevice

    begun_s: list[tuple[float, float]] = []
    obs_s = 0.0

    def listen(samples: Any, frames: int, stamps: Any, status: Any) -> None:
        nonlocal obs_s
        del status
        now_s = host_now()
        arrived_s = now_s - frames / RATE_HZ
        begin_s = obs_s if abs(arrived_s - obs_s) < SMOOTHED_S else arrived_s
        obs_s = begin_s + frames / RATE_HZ
        loud = np.flatnonzero(np.abs(samples[:, 0]) >= ONSET)
        if not len(loud):
            return
        inside_s = float(loud[0]) / RATE_HZ
        onset_s = now_s - (stamps.currentTime - stamps.inputBufferAdcTime) + inside_s
        if not begun_s or onset_s - begun_s[-1][0] >= REST_S:
            begun_s.append((onset_s, begin_s + inside_s))

    stream = sounddevice.InputStream(
        device=device,
        samplerate=RATE_HZ,
        channels=1,
        blocksize=RATE_HZ // 100,
        latency=0.02,
        dtype="float32",
        callback=listen,
    )
    with stream:
        print("ready", flush=True)
        stop.wait()
    return np.array(begun_s, dtype=np.float64).reshape(-1, 2).T


def record_until_closed() -> None:
    """Record until standard input is closed."""
    stop = threading.Event()
    on_closed_input(stop.set)
    write_columns(record(sys.argv[1], stop))


if __name__ == "__main__":
    record_until_closed()
