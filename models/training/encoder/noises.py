"""Sounds that are no speech: what stands between and under voices in the encoder's streams.

Every sound is synthetic and seeded; nobody's recording is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.timing import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Sound = NDArray[np.float64]
    Maker = Callable[[int, np.random.Generator], Sound]

LEVEL_DBFS = (-55.0, -12.0)
NYQUIST_HZ = SAMPLE_RATE_HZ / 2


def band(sound: Sound, low_hz: float, high_hz: float) -> Sound:
    """Return `sound` [time] without what lies outside a band."""
    spectrum = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE_HZ)
    spectrum[(hz < low_hz) | (hz > high_hz)] = 0
    return np.fft.irfft(spectrum, len(sound))


def _noise(samples: int, random: np.random.Generator) -> Sound:
    low_hz = random.uniform(30, 800)
    return band(random.standard_normal(samples), low_hz, random.uniform(2 * low_hz, NYQUIST_HZ))


def _struck(samples: int, random: np.random.Generator, per_s: float, decay_s: float) -> Sound:
    """Return bursts of noise that die away, at irregular times."""
    sound = np.zeros(samples)
    length = int(8 * decay_s * SAMPLE_RATE_HZ)
    fall = np.exp(-np.arange(length) / (decay_s * SAMPLE_RATE_HZ))
    for start in random.integers(0, samples, max(1, int(per_s * samples / SAMPLE_RATE_HZ))):
        room = min(length, samples - start)
        burst = random.standard_normal(length) * fall * random.uniform(0.3, 1.0)
        sound[start : start + room] += burst[:room]
    return sound


def keys(samples: int, random: np.random.Generator) -> Sound:
    """Return typing."""
    struck = _struck(samples, random, random.uniform(4, 20), random.uniform(0.002, 0.008))
    return band(struck, 300, 7500)


def claps(samples: int, random: np.random.Generator) -> Sound:
    """Return clapping hands or drums."""
    struck = _struck(samples, random, random.uniform(1, 5), random.uniform(0.01, 0.06))
    return band(struck, random.uniform(40, 600), random.uniform(3000, 7500))


def _harmonics(samples: int, hz: float, count: int, fall: float) -> Sound:
    times_s = np.arange(samples) / SAMPLE_RATE_HZ
    heard = [k for k in range(1, count + 1) if k * hz < NYQUIST_HZ]
    partials = [np.sin(2 * np.pi * k * hz * times_s) / k**fall for k in heard]
    return np.asarray(np.sum(partials, 0))


def hum(samples: int, random: np.random.Generator) -> Sound:
    """Return the hum of mains or a motor."""
    hz = random.choice((50.0, 60.0, 100.0, random.uniform(80, 200)))
    return _harmonics(samples, hz, int(random.integers(2, 20)), random.uniform(0.5, 1.5))


def _gate(samples: int, random: np.random.Generator, length_s: tuple[float, float]) -> Sound:
    """Return an envelope, 0..1, of notes or pulses with soft edges."""
    gate = np.zeros(samples)
    start = int(random.integers(0, SAMPLE_RATE_HZ // 2))
    while start < samples:
        length = int(random.uniform(*length_s) * SAMPLE_RATE_HZ)
        edge = max(1, int(random.uniform(0.003, 0.05) * SAMPLE_RATE_HZ))
        ramp = np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / edge)
        room = min(length, samples - start)
        gate[start : start + room] = ramp[:room] * random.uniform(0.4, 1.0)
        start += length + int(random.exponential(0.3) * SAMPLE_RATE_HZ)
    return gate


def music(samples: int, random: np.random.Generator) -> Sound:
    """Return chords."""
    root_hz = random.uniform(110, 440)
    ratios = ((1.0, 1.26, 1.5), (1.0, 1.19, 1.5), (1.0, 1.5, 2.0))[random.integers(3)]
    overtones, fall = int(random.integers(1, 8)), random.uniform(0.8, 2.0)
    chord = np.sum([_harmonics(samples, root_hz * r, overtones, fall) for r in ratios], 0)
    return np.asarray(chord * _gate(samples, random, (0.2, 1.5)))


def beeps(samples: int, random: np.random.Generator) -> Sound:
    """Return tones that go on and off."""
    tone = _harmonics(samples, random.uniform(300, 3000), 1, 1.0)
    return tone * _gate(samples, random, (0.05, 0.6))


def whistle(samples: int, random: np.random.Generator) -> Sound:
    """Return a gliding tone."""
    points_hz = random.uniform(400, 2500, 2 + samples // (SAMPLE_RATE_HZ // 2))
    hz = np.interp(np.linspace(0, 1, samples), np.linspace(0, 1, len(points_hz)), points_hz)
    return np.sin(2 * np.pi * np.cumsum(hz) / SAMPLE_RATE_HZ) * _gate(samples, random, (0.3, 2.0))


def puffs(samples: int, random: np.random.Generator) -> Sound:
    """Return coughs, breath on the microphone, rustling."""
    rush = _noise(samples, random)
    return rush * np.square(_gate(samples, random, (0.08, 0.8)))


def silence(samples: int, random: np.random.Generator) -> Sound:
    """Return digital silence."""
    del random
    return np.zeros(samples)


MAKERS: tuple[Maker, ...] = (keys, claps, hum, music, beeps, whistle, puffs, _noise, silence)


def no_speech(samples: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Return `samples` of one or two of these sounds over faint noise, peak below 1."""
    sound = np.zeros(samples)
    for _ in range(int(random.integers(1, 3))):
        made = MAKERS[random.integers(len(MAKERS))](samples, random)
        power = np.sqrt(np.square(made).mean())
        sound += made / max(power, 1e-9) * 10 ** (random.uniform(*LEVEL_DBFS) / 20)
    if random.random() < 0.7:
        sound += random.standard_normal(samples) * 10 ** (random.uniform(-90, -50) / 20)
    return np.asarray(sound / max(1.0, np.abs(sound).max() * 1.01), dtype=np.float32)
