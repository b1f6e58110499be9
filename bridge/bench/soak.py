"""A long run: does memory grow, do sound and frames drift apart, is anything lost?

The sound repeats with an exact period, so the jaw must too: how far its pattern in frame time has
moved from the first minutes to the last is the drift between audio time and frame time.
"""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.hop import HOP_RATE_HZ
from bridge.audio.source import TEST_SOUND
from bridge.audio.tone import sound_round
from bridge.bench.daemon_process import DaemonProcess
from bridge.bench.fakemic import FakeMicrophones
from bridge.bench.figures import Figure, Remark
from bridge.bench.machine import resident_mb
from bridge.bench.packets import FPS, of_arrivals
from bridge.bench.receiver import ReceiverProcess
from bridge.clock.host import host_now
from bridge.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bridge.bench.daemon_process import Measurements
    from bridge.bench.options import Options

    Floats = NDArray[np.float64]

MICROPHONE = "mic_a"
MINUTE_S = 60.0
GROWTH_MB = 5.0
DRIFT_MS = 1e3 / FPS
"""One frame."""
DRIFT_STEP_S = 0.0001
"""Drift is told to a tenth of a millisecond."""
HARMONICS = 16
"""Of the sound's period, by which two patterns are compared: 4 Hz, as fast as syllables."""


def measure(options: Options) -> list[Figure | Remark]:
    """Run for `options.minutes`, and tell the memory each minute.

    The test sound is heard through a fake microphone; where there can be none, directly.
    """
    held_mb: list[float | None] = []
    with ExitStack() as closing:
        receiver = closing.enter_context(ReceiverProcess())
        audio, environment = _sound(closing)
        running = closing.enter_context(DaemonProcess(audio, receiver.port, environment))
        start_s = host_now()
        for minute in range(1, max(2, round(options.minutes)) + 1):
            time.sleep(max(0.0, start_s + minute * MINUTE_S - host_now()))
            held_mb.append(resident_mb(running.process_id))
            print(f"  minute {minute}: {_megabytes(held_mb[-1])}", flush=True)
        measured = running.stop()
        arrivals = receiver.stop()
    heard = Remark(f"heard through {audio}")
    lines = [heard, *memory(held_mb, GROWTH_MB), *of_arrivals(arrivals), *drops(measured)]
    # The last packet is the face at rest.
    drift_ms = 1e3 * drift_s(arrivals.frames[:-1] / FPS, arrivals.jaws[:-1], period_s())
    drift = Figure("drift of sound against frames", drift_ms, "ms", -DRIFT_MS, DRIFT_MS)
    return [*lines, drift]


def _sound(closing: ExitStack) -> tuple[str, dict[str, str] | None]:
    """Return what the daemon is to hear, and the environment in which it does."""
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
