"""A spoken vowel into a fake microphone, packets out: what does the bridge add to the look-ahead?

Two measures. From inside: sound reaching the audio callback to the packet of its face leaving, part
by part, over all ticks; this is what is promised. From outside, as a check: from the vowel written
into the microphone's FIFO to the arrival of the first packet whose jaw has left its silence, less
the look-ahead and less what the offline generator takes to answer the same vowel. The outer figure
also holds what is before the callback (the sound server's buffers) and the wait for the next frame.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.block import BLOCK_S
from bridge.bench.daemon_process import DaemonProcess
from bridge.bench.fakemic import FakeMicrophones
from bridge.bench.figures import Figure, Remark, figures_of, spread_of
from bridge.bench.receiver import Arrivals, ReceiverProcess
from bridge.bench.vowel import PERIOD_S, RESPONSE_S, Answer, offline_answer, vowel
from bridge.config.schema import Config
from bridge.monitor.metrics import PARTS

if TYPE_CHECKING:
    from bridge.bench.options import Options

MICROPHONE = "mic_a"
ADDED_MEDIAN_MS, ADDED_P99_MS = 32.5, 33.4
SETTLING_TRIALS = 3
"""Vowels that are not counted: the clock of the stream finds its line, the network its rest."""
PULSE_LATENCY_MS = "10"
"""Asked of PulseAudio, `PULSE_LATENCY_MSEC`: the least with which capture is steady."""


def measure(options: Options) -> list[Figure | Remark]:
    """Speak `options.trials` vowels at random phases of block, hop and frame."""
    lookahead_ms = Config().lookahead_ms
    answer = offline_answer(lookahead_ms)
    random = np.random.default_rng(0)
    with FakeMicrophones((MICROPHONE,)) as microphones, ReceiverProcess() as receiver:
        seen = {**microphones.environment, "PULSE_LATENCY_MSEC": PULSE_LATENCY_MS}
        sound = np.rint(32767 * vowel(microphones.rate_hz)).astype(np.int16)
        with DaemonProcess(MICROPHONE, receiver.port, seen) as running:
            time.sleep(2 * PERIOD_S)
            steps_s = []
            for _ in range(SETTLING_TRIALS + options.trials):
                # Leading silence, up to a block of it, sets the phase within the written piece.
                phase_s = random.uniform(0.0, BLOCK_S)
                lead = np.zeros(round(phase_s * microphones.rate_hz), dtype=np.int16)
                written_s = microphones.say(MICROPHONE, np.concatenate([lead, sound]))
                steps_s.append(written_s + phase_s)
                time.sleep(PERIOD_S + random.uniform(0.0, 0.05))
            measured = running.stop()
            arrivals = receiver.stop()
    outside_s = added(arrivals, steps_s[SETTLING_TRIALS:], answer, 1e-3 * lookahead_ms)
    limits = {"median_ms": ADDED_MEDIAN_MS, "p99_ms": ADDED_P99_MS}
    return [
        Remark(f"look-ahead {lookahead_ms} ms, buffer auto, 60 fps"),
        *figures_of("added, callback to packet leaving", measured.spreads.get("total"), **limits),
        *(
            Figure(f"  {part}, median", 1e3 * spread.median_s, "ms")
            for part in PARTS
            if (spread := measured.spreads.get(part))
        ),
        Figure("vowels answered", len(outside_s), "", minimum=options.trials),
        *figures_of("added, FIFO to packet arriving", spread_of(outside_s)),
        Figure("offline answer to the vowel", 1e3 * answer.delay_s, "ms"),
    ]


def added(
    arrivals: Arrivals, steps_s: list[float], answer: Answer, lookahead_s: float
) -> list[float]:
    """Return for each step of the sound at a host time what was added, in seconds.

    A step without an answer within `RESPONSE_S` after the look-ahead is left out.
    """
    durations_s = []
    for step_s in steps_s:
        start, end = np.searchsorted(
            arrivals.times_s, (step_s, step_s + lookahead_s + RESPONSE_S)
        ).tolist()
        above = arrivals.jaws[start:end] > answer.threshold
        if above.any() and not above[0]:
            passed_s = float(arrivals.times_s[start + int(above.argmax())])
            durations_s.append(passed_s - step_s - answer.delay_s - lookahead_s)
    return durations_s
