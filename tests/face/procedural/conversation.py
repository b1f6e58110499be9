"""Prosody of random conversations by seed, and of one recording of real speech."""

from collections.abc import Iterator
from importlib import resources
from random import Random

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from cstalk_bridge.audio.source import HOP_RATE_HZ
from cstalk_bridge.face.procedural.prosody import SILENCE, Prosody

TICK_S = 1 / 60


def talk(seed: int, seconds: float, tick_s: float = TICK_S) -> Iterator[Prosody]:
    """Phrases of 1.5 to 4 s, pauses of 0.35 to 0.9 s, a stress every 0.75 s on average."""
    random = Random(seed)
    is_speaking, left_s, level, pause_s, stress_in_s, stress = False, 0.0, 0.5, 0.0, 0.3, 0.0
    stresses = phrases = 0
    for _ in range(round(seconds / tick_s)):
        left_s -= tick_s
        if left_s <= 0.0:
            is_speaking = not is_speaking
            left_s = random.uniform(1.5, 4.0) if is_speaking else random.uniform(0.35, 0.9)
            pause_s = 0.0
        if not is_speaking:
            phrases += pause_s < 0.28 <= pause_s + tick_s
            pause_s += tick_s
            yield Prosody(pause_s=pause_s, stress=stress, stresses=stresses, phrases=phrases)
            continue
        level += 0.1 * (random.uniform(0.2, 0.9) - level)
        stress_in_s -= tick_s
        if stress_in_s <= 0.0:
            stress_in_s = 0.25 + random.expovariate(2.0)
            stress = random.uniform(0.55, 1.0)
            stresses += 1
        yield Prosody(
            level=level,
            f0_hz=120.0,
            melody=8.0 * (level - 0.5),
            pause_s=0.0,
            stress=stress,
            stresses=stresses,
            phrases=phrases,
        )


def silence(seconds: float, tick_s: float = TICK_S) -> Iterator[Prosody]:
    """Nobody speaks."""
    return (SILENCE for _ in range(round(seconds / tick_s)))


def speech() -> NDArray[np.float32]:
    """The recording that the package ships, at 16 kHz."""
    path = resources.files("cstalk_bridge.audio").joinpath("speech.ogg")
    with resources.as_file(path) as file:
        sound, rate_hz = soundfile.read(file, dtype="float32")
    return np.asarray(soxr.resample(sound, rate_hz, HOP_RATE_HZ), dtype=np.float32)
