"""What rooms, microphones and voices do to sound, done to batches on one device.

Every function takes samples `[batch, time]` at 16 kHz and returns the same shape; all randomness
comes from the generator given.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.timing import SAMPLE_RATE_HZ
from models.training.transmission import transmit
from models.training.voices import random_voices

AUGMENTATION = 4
"""Version of what is done to sound; a run keeps the one it was set up with.

1: equaliser, telephone band, room, level, coloured noise. 2: also voices in the background,
telephones and codecs, and breaths in pauses (`breaths.py`). 3: also other pitches and vocal tracts.
4: also loud noise where nobody speaks.
"""

OTHER_VOICES_SHARE = 0.3
EQ_POINTS = 12
EQ_DB = 4.0
REVERB_SHARE = 0.3
NARROW_SHARE = 0.1
TELEPHONE_HZ = (280.0, 3500.0)
ROOM_SAMPLES = SAMPLE_RATE_HZ // 2
ROOM_DECAY_S = (0.03, 0.12)
PEAK_DBFS = (-26.0, -1.0)
CLEAN_SHARE = 0.4
SNR_DB = (6.0, 40.0)
VOICES_SHARE = 0.35  # of noisy backgrounds that have the spectrum and the rhythm of voices
VOICES_HZ = (100.0, 500.0)  # long-term speech is flat between these and falls by 9 dB above
SYLLABLES_HZ = 5.0
FLOOR_DBFS = (-90.0, -55.0)  # noise that is always there, as of any microphone
ALONE_DBFS = (-80.0, -30.0)  # noise where nobody speaks: of a fan, a street, a gain too high
AUDIBLE = 1e-4  # peak under which a piece holds no voice


def _uniform(rows: int, low: float, high: float, dice: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(rows, 1, generator=dice)


def _gain(decibels: Tensor) -> Tensor:
    return torch.pow(10.0, decibels / 20.0)


def coloured_noise(rows: int, samples: int, dice: torch.Generator) -> Tensor:
    """Return noise of unit power whose spectrum falls by 0 to 6 dB an octave."""
    spectrum = torch.fft.rfft(torch.randn(rows, samples, generator=dice))
    tilt = _uniform(rows, 0.0, 1.0, dice)
    position = torch.arange(1, spectrum.shape[-1] + 1) / spectrum.shape[-1]
    noise = torch.fft.irfft(spectrum * position.pow(-tilt), samples)
    unit: Tensor = noise / noise.square().mean(-1, keepdim=True).sqrt()
    return unit


def distort(samples: Tensor, dice: torch.Generator, version: int = AUGMENTATION) -> Tensor:
    """Return what voices, a microphone and a line of a version make of clean `samples`."""
    if version == 1:
        return level_and_noise(colour(samples, dice), dice)
    if version > 2:
        samples = random_voices(samples, OTHER_VOICES_SHARE, dice)
    alone = ALONE_DBFS if version > 3 else None
    return transmit(level_and_noise(colour(samples, dice), dice, VOICES_SHARE, alone), dice)


def distant_voices(rows: int, samples: int, dice: torch.Generator) -> Tensor:
    """Return noise of unit power with the spectrum of speech, loud and soft as syllables are."""
    spectrum = torch.fft.rfft(torch.randn(rows, samples, generator=dice))
    hz = torch.arange(spectrum.shape[-1]) * (SAMPLE_RATE_HZ / samples)
    low, high = ((hz / edge).square() for edge in VOICES_HZ)
    noise = torch.fft.irfft(spectrum * (low / (1 + low)) * (1 + high).pow(-0.75), samples)
    points = 2 + int(samples / SAMPLE_RATE_HZ * SYLLABLES_HZ)
    swell = torch.rand(rows, 1, points, generator=dice)
    swell = torch.nn.functional.interpolate(swell, samples, mode="linear")[:, 0]
    noise = noise * (1.0 - _uniform(rows, 0.0, 0.9, dice) * swell)
    unit: Tensor = noise / noise.square().mean(-1, keepdim=True).sqrt()
    return unit


def colour(samples: Tensor, dice: torch.Generator) -> Tensor:
    """Apply a random smooth equaliser, at times a telephone band, at times a room."""
    rows, length = samples.shape
    spectrum = torch.fft.rfft(samples, length + ROOM_SAMPLES)
    response = _equaliser(rows, spectrum.shape[-1], dice) * _rooms(rows, length, dice)
    coloured: Tensor = torch.fft.irfft(spectrum * response, length + ROOM_SAMPLES)
    return coloured[:, :length]


def _equaliser(rows: int, bins: int, dice: torch.Generator) -> Tensor:
    points_db = EQ_DB * torch.randn(rows, 1, EQ_POINTS, generator=dice)
    curve_db = torch.nn.functional.interpolate(points_db, bins, mode="linear")
    frequencies_hz = torch.linspace(0, SAMPLE_RATE_HZ / 2, bins)
    band = ((frequencies_hz > TELEPHONE_HZ[0]) & (frequencies_hz < TELEPHONE_HZ[1])).float() + 0.01
    narrow = torch.rand(rows, 1, generator=dice) < NARROW_SHARE
    return _gain(curve_db[:, 0]) * torch.where(narrow, band, torch.ones(()))


def _rooms(rows: int, length: int, dice: torch.Generator) -> Tensor:
    """Return spectra of the direct sound, for some rows followed by decaying noise."""
    times_s = torch.arange(ROOM_SAMPLES) / SAMPLE_RATE_HZ
    decay = torch.exp(-times_s / _uniform(rows, *ROOM_DECAY_S, dice))
    room = torch.randn(rows, ROOM_SAMPLES, generator=dice) * decay
    room = room / room.square().sum(-1, keepdim=True).sqrt() * _uniform(rows, 0.1, 0.7, dice)
    room = room * (torch.rand(rows, 1, generator=dice) < REVERB_SHARE)
    room[:, 0] += 1.0
    spectra: Tensor = torch.fft.rfft(room, length + ROOM_SAMPLES)
    return spectra


def level_and_noise(
    samples: Tensor,
    dice: torch.Generator,
    voices_share: float = 0.0,
    alone_dbfs: tuple[float, float] | None = None,
) -> Tensor:
    """Bring speech to a random level and put a random background under it.

    `voices_share` of the backgrounds are distant voices, the others coloured noise. Where nobody
    speaks it is as loud as `alone_dbfs` says, or hardly to be heard.
    """
    rows, length = samples.shape
    peak = samples.abs().amax(-1, keepdim=True)
    wanted = _gain(_uniform(rows, *PEAK_DBFS, dice))
    speech = torch.where(peak > AUDIBLE, samples * wanted / peak.clamp(min=AUDIBLE), samples)
    power = speech.square().mean(-1, keepdim=True).sqrt().clamp(min=1e-4)
    noise_gain = power / _gain(_uniform(rows, *SNR_DB, dice))
    clean = torch.rand(rows, 1, generator=dice) < CLEAN_SHARE
    noise_gain = torch.where(clean, _gain(_uniform(rows, *FLOOR_DBFS, dice)), noise_gain)
    if alone_dbfs is not None:
        alone = _gain(_uniform(rows, *alone_dbfs, dice))
        noise_gain = torch.where(peak > AUDIBLE, noise_gain, alone)
    noise = coloured_noise(rows, length, dice)
    if voices_share:
        distant = torch.rand(rows, 1, generator=dice) < voices_share
        noise = torch.where(distant & ~clean, distant_voices(rows, length, dice), noise)
    return (speech + noise_gain * noise).clamp(-1.0, 1.0)
