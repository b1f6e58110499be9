"""Section `latency`: a spoken vowel into a fake microphone, packets out, beside the offline
generator's jaw.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.audio.source import BLOCK_S
from cstalk_bridge.bench.daemon_process import DaemonProcess
from cstalk_bridge.bench.microphone import FakeMicrophones
from cstalk_bridge.bench.packets import Arrivals, ReceiverProcess
from cstalk_bridge.bench.report import Figure, Remark, figures_of, spread_of
from cstalk_bridge.config.schema import Config
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.monitor.metrics import LATENCY_PARTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cstalk_bridge.bench.report import BenchConfig

    Floats = NDArray[np.float32]


VOWEL_START_S, VOWEL_END_S = 2.12, 2.28
"""Where "my" of the bundled recording opens; before it, half a second of its pause."""
FADE_S = 0.003
"""Against a click at the cut."""
PERIOD_S = 1.0
"""From one vowel to the next; the longest wait is half of it more."""
ROUNDS = 4
"""Vowels before the one that is evaluated, so that the network's input is that of the bench."""
RESPONSE_S = 0.4
"""How long after the step an answer is looked for."""
LEAVING = 0.3
"""Share of the way from rest to the greatest opening at which a jaw has left its silence."""
MIN_OPENING = 0.08
"""Least opening of a vowel, above that of silence."""


@dataclass(frozen=True, slots=True)
class JawResponse:
    """When the jaw passes `threshold` on its way up, after the step of the sound."""

    threshold: float
    delay_s: float


def vowel(rate_hz: int) -> Floats:
    """Return the vowel, [frames] at `rate_hz`, from its first sample on."""
    import soundfile

    spoken, spoken_hz = soundfile.read(SPEECH_PATH, dtype="float32")
    cut = spoken[round(VOWEL_START_S * spoken_hz) : round(VOWEL_END_S * spoken_hz)]
    times_s = np.arange(round((VOWEL_END_S - VOWEL_START_S) * rate_hz)) / rate_hz
    fade = np.clip(np.minimum(times_s, times_s[::-1]) / FADE_S, 0.0, 1.0)
    vowel = np.interp(times_s, np.arange(len(cut)) / spoken_hz, cut)
    return np.asarray(fade * vowel, dtype=np.float32)


def offline_jaw_response(lookahead_ms: float) -> JawResponse:
    """Return when the offline generator's jaw answers the vowel, as it is vowel in the bench.

    UserError where the network does not open the jaw for it: then nothing can be measured.
    """
    from cstalk_bridge.models import load_generator

    generator = load_generator(device="cpu")
    rate_hz = generator.sample_rate_hz
    period = np.zeros(round(PERIOD_S * rate_hz), dtype=np.float32)
    sound = vowel(rate_hz)
    period[: len(sound)] = sound
    samples = np.concatenate([np.zeros_like(period), *[period] * (ROUNDS + 1)])
    rows = generator.generate(samples, rate_hz, lookahead_ms=lookahead_ms)
    jaw = rows[:, generator.channels.index("CTRL_C_jaw.ty")]
    return jaw_response(jaw, generator.rate_hz, (ROUNDS + 1) * PERIOD_S)


def jaw_response(jaw: Floats, rate_hz: int, step_s: float) -> JawResponse:
    """Return when the jaw, [rows], leaves its silence after a step of the sound at `step_s`."""
    times_s = np.arange(len(jaw)) / rate_hz - step_s
    rest = float(np.median(jaw[(times_s >= -0.2) & (times_s < -0.1)]))
    inside = (times_s >= -0.1) & (times_s < RESPONSE_S)
    opening = float(jaw[inside].max()) - rest
    if opening < MIN_OPENING:
        what = f"the network opens the jaw by {opening:.3f} for a vowel, {MIN_OPENING:g} is needed"
        raise UserError(Problem("latency", what, "use other weights"))
    threshold = rest + LEAVING * opening
    delay_s = first_passing(times_s[inside], jaw[inside], threshold)
    return JawResponse(threshold, delay_s)


def first_passing(times_s: NDArray[np.float64], jaw: NDArray[np.floating], level: float) -> float:
    """Return the time at which the jaw first passes `level` upwards, interpolated; else NaN."""
    above = jaw > level
    passing = np.flatnonzero(above[1:] & ~above[:-1])
    if not passing.size:
        return float("nan")
    before = passing[0]
    share = (level - jaw[before]) / (jaw[before + 1] - jaw[before])
    return float(times_s[before] + share * (times_s[before + 1] - times_s[before]))


MICROPHONE = "mic_a"
ADDED_MEDIAN_MS, ADDED_P99_MS = 32.5, 33.4
SETTLING_TRIALS = 3
"""Vowels that are not counted: the clock of the stream finds its line, the network its rest."""
PULSE_LATENCY_MS = "10"
"""Asked of PulseAudio, `PULSE_LATENCY_MSEC`: the least with which capture is steady."""


def measure_latency(config: BenchConfig) -> list[Figure | Remark]:
    """Speak `config.trials` vowels at random phases of block, hop and frame."""
    lookahead_ms = Config().lookahead_ms
    answer = offline_jaw_response(lookahead_ms)
    random = np.random.default_rng(0)
    with FakeMicrophones((MICROPHONE,)) as microphones, ReceiverProcess() as receiver:
        seen = {**microphones.environment, "PULSE_LATENCY_MSEC": PULSE_LATENCY_MS}
        sound = np.rint(32767 * vowel(microphones.rate_hz)).astype(np.int16)
        with DaemonProcess(MICROPHONE, receiver.port, seen) as running:
            time.sleep(2 * PERIOD_S)
            steps_s = []
            for _ in range(SETTLING_TRIALS + config.trials):
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
            for part in LATENCY_PARTS
            if (spread := measured.spreads.get(part))
        ),
        Figure("vowels that arrived", len(outside_s), "", minimum=config.trials),
        *figures_of("added, FIFO to packet arriving", spread_of(outside_s)),
        Figure("jaw of the offline generator", 1e3 * answer.delay_s, "ms"),
    ]


def added(
    arrivals: Arrivals, steps_s: list[float], answer: JawResponse, lookahead_s: float
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
