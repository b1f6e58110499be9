"""A spoken vowel out of silence, and when the offline generator opens the jaw for it.

The network itself takes time to be sure of a vowel. What the bridge adds is what remains when the
answer of the offline generator to the same sound is taken away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.opening import SPEECH_PATH
from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

VOWEL_START_S, VOWEL_END_S = 2.12, 2.28
"""Where "my" of the bundled recording opens; before it, half a second of its pause."""
FADE_S = 0.003
"""Against a click at the cut."""
PERIOD_S = 1.0
"""From one vowel to the next; the longest wait is half of it more."""
ROUNDS = 4
"""Vowels before the one that is looked at, so that the network hears what it hears in the bench."""
RESPONSE_S = 0.4
"""How long after the step an answer is looked for."""
LEAVING = 0.3
"""Share of the way from rest to the greatest opening at which a jaw has left its silence."""
MIN_OPENING = 0.08
"""Least opening which tells a vowel from silence."""


@dataclass(frozen=True, slots=True)
class Answer:
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
    heard = np.interp(times_s, np.arange(len(cut)) / spoken_hz, cut)
    return np.asarray(fade * heard, dtype=np.float32)


def offline_answer(lookahead_ms: float) -> Answer:
    """Return when the offline generator's jaw answers the vowel, as it is heard in the bench.

    UserError where the network does not open the jaw for it: then nothing can be measured.
    """
    from models import load_generator

    generator = load_generator(device="cpu")
    rate_hz = generator.sample_rate_hz
    period = np.zeros(round(PERIOD_S * rate_hz), dtype=np.float32)
    sound = vowel(rate_hz)
    period[: len(sound)] = sound
    samples = np.concatenate([np.zeros_like(period), *[period] * (ROUNDS + 1)])
    rows = generator.generate(samples, rate_hz, lookahead_ms=lookahead_ms)
    jaw = rows[:, generator.channels.index("CTRL_C_jaw.ty")]
    return answer(jaw, generator.rate_hz, (ROUNDS + 1) * PERIOD_S)


def answer(jaw: Floats, rate_hz: int, step_s: float) -> Answer:
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
    return Answer(threshold, delay_s)


def first_passing(times_s: NDArray[np.float64], jaw: NDArray[np.floating], level: float) -> float:
    """Return the time at which the jaw first passes `level` upwards, interpolated; else NaN."""
    above = jaw > level
    passing = np.flatnonzero(above[1:] & ~above[:-1])
    if not passing.size:
        return float("nan")
    before = passing[0]
    share = (level - jaw[before]) / (jaw[before + 1] - jaw[before])
    return float(times_s[before] + share * (times_s[before + 1] - times_s[before]))
