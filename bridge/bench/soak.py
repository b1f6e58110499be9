"""Sections `soak` and `churn`: long runs, alone and with clients that come and go: memory,
drift, losses.

The sound repeats with an exact period, so the jaw must too: how far its pattern in frame time
has moved from the first minutes to the last is the drift between audio time and frame time. In
`churn` memory is compared with that after the first minute, by when every kind of client has
been there.
"""

from __future__ import annotations

import math
import socket
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cstalk_bridge.audio.inputs import sound_round
from cstalk_bridge.audio.source import HOP_RATE_HZ, TEST_SOUND
from cstalk_bridge.bench.clients import Visitors
from cstalk_bridge.bench.daemon_process import DaemonProcess, free_port, resident_mb
from cstalk_bridge.bench.microphone import FakeMicrophones
from cstalk_bridge.bench.packets import FPS, ReceiverProcess, of_arrivals
from cstalk_bridge.bench.report import Figure, Remark
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cstalk_bridge.bench.clients import Visits
    from cstalk_bridge.bench.daemon_process import Measurements
    from cstalk_bridge.bench.report import BenchConfig

    Floats = NDArray[np.float64]


MICROPHONE = "mic_a"
MINUTE_S = 60.0
GROWTH_MB = 5.0
DRIFT_MS = 1e3 / FPS
"""One frame."""
DRIFT_STEP_S = 0.0001
"""Drift is reported to a tenth of a millisecond."""
HARMONICS = 16
"""Of the sound's period, by which two patterns are compared: 4 Hz, as fast as syllables."""


def measure_soak(config: BenchConfig) -> list[Figure | Remark]:
    """Run for `config.minutes`, and print the memory each minute.

    The test sound comes through a fake microphone; where there can be none, directly.
    """
    held_mb: list[float | None] = []
    with ExitStack() as closing:
        receiver = closing.enter_context(ReceiverProcess())
        audio, environment = _sound(closing)
        running = closing.enter_context(DaemonProcess(audio, receiver.port, environment))
        start_s = host_now()
        for minute in range(1, max(2, round(config.minutes)) + 1):
            time.sleep(max(0.0, start_s + minute * MINUTE_S - host_now()))
            held_mb.append(resident_mb(running.process_id))
            print(f"  minute {minute}: {_megabytes(held_mb[-1])}", flush=True)
        measured = running.stop()
        arrivals = receiver.stop()
    source = Remark(f"audio input: {audio}")
    lines = [source, *memory(held_mb, GROWTH_MB), *of_arrivals(arrivals), *drops(measured)]
    # The last packet is the face at rest.
    drift_ms = 1e3 * drift_s(arrivals.frames[:-1] / FPS, arrivals.jaws[:-1], period_s())
    drift = Figure("drift of sound against frames", drift_ms, "ms", -DRIFT_MS, DRIFT_MS)
    return [*lines, drift]


def _sound(closing: ExitStack) -> tuple[str, dict[str, str] | None]:
    """Return the daemon's audio input and its environment."""
    try:
        microphones = closing.enter_context(FakeMicrophones((MICROPHONE,), rate_hz=HOP_RATE_HZ))
    except UserError:
        return TEST_SOUND, None
    sound = np.rint(32767 * sound_round(np.random.default_rng(0))).astype(np.int16)
    microphones.say(MICROPHONE, sound, is_loop=True)
    return MICROPHONE, microphones.environment


def period_s() -> float:
    """Return how long one round of the test sound is."""
    return len(sound_round(np.random.default_rng(0))) / HOP_RATE_HZ


def drift_s(times_s: Floats, jaws: Floats, period: float) -> float:
    """Return by how much later the jaw's pattern comes at the end than at the start, in seconds.

    Compares the first and the last of three equal parts of a run, [packets], by the phases of the
    harmonics of the sound's period: a shift turns each harmonic in proportion to its number. The
    shift with which both parts agree best is looked for within half a second.
    """
    third = len(times_s) // 3
    frequencies_hz = np.arange(1, HARMONICS + 1) / period
    parts = [
        np.exp(-2j * np.pi * frequencies_hz[:, None] * times_s[part]) @ jaws[part]
        for part in (
            _whole(slice(0, third), times_s, period),
            _whole(slice(-third, None), times_s, period),
        )
    ]
    cross = parts[1] * np.conj(parts[0])
    shifts_s = np.arange(-0.5, 0.5, DRIFT_STEP_S)
    likeness = np.real(np.exp(2j * np.pi * shifts_s[:, None] * frequencies_hz) @ cross)
    return round(float(shifts_s[likeness.argmax()]), 4)


def _whole(part: slice, times_s: Floats, period: float) -> slice:
    """Return the part cut to whole periods, so that no harmonic leaks into another."""
    start, stop, _ = part.indices(len(times_s))
    span_s = times_s[stop - 1] - times_s[start]
    end_s = times_s[start] + max(1, int(span_s / period)) * period
    return slice(start, int(np.searchsorted(times_s, end_s)))


def memory(held_mb: list[float | None], growth_mb: float) -> list[Figure | Remark]:
    """Return what was held at first, and how much it grew, which should be `growth_mb` at most."""
    first, last = held_mb[0], held_mb[-1]
    if first is None or last is None:
        return [Remark("resident memory cannot be read on this system")]
    return [
        Figure("resident memory after the first minute", first, "MB"),
        Figure("growth since", last - first, "MB", maximum=growth_mb),
    ]


def drops(measured: Measurements) -> list[Figure]:
    """Return what was lost; a late face is held for its tick, which nobody sees."""
    return [
        Figure(f"lost {cause}", count, "", maximum=math.inf if cause == "late" else 0)
        for cause, count in measured.drops.items()
    ]


def _megabytes(held_mb: float | None) -> str:
    return "memory unknown" if held_mb is None else f"{held_mb:.1f} MB"


CHURN_GROWTH_MB = 2.0
MAX_FAULTS_SHOWN = 10


def measure_churn(config: BenchConfig) -> list[Figure | Remark]:
    """Run for `config.minutes`, and print the memory each minute."""
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
            for minute in range(1, max(2, round(config.minutes)) + 1):
                time.sleep(max(0.0, start_s + minute * MINUTE_S - host_now()))
                held_mb.append(resident_mb(running.process_id))
                print(f"  minute {minute}: {held_mb[-1] or 0:.2f} MB", flush=True)
            visitors.__exit__()
            measured = running.stop()
        arrivals = receiver.stop()
    return [
        *of_visits(visitors.visits),
        *memory(held_mb, CHURN_GROWTH_MB),
        *of_arrivals(arrivals),
        *drops(measured),
    ]


def of_visits(visits: Visits) -> list[Figure | Remark]:
    """Return how much was done, and what was not as it must be."""
    return [
        Figure("rounds of clients", visits.rounds, ""),
        Figure("clients not served", len(visits.faults), "", maximum=0),
        *(Remark(f"  {fault}") for fault in visits.faults[:MAX_FAULTS_SHOWN]),
        Figure("takes", visits.takes, "", minimum=1),
        Figure("takes other than replied", visits.untrue, "", maximum=0),
    ]
