"""What emotion in a voice is recognised by: timbre, loudness, pitch, and how they move.

Each counts by how it differs from the speaker's running baseline, which is kept while the
voice speaks. How loud the sound is makes no difference: a band counts against the mean of all
bands, loudness against the speaker's baseline, and pitch is a normalised correlation. Nothing
here is trained.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from cstalk_bridge.models.cstalk.features import BANDS, framed, log_mel
from cstalk_bridge.models.cstalk.features import HISTORY_SAMPLES as MEL_HISTORY_SAMPLES
from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


if TYPE_CHECKING:
    Floats = NDArray[np.float32]

LOWEST_HZ, HIGHEST_HZ = 70.0, 450.0
PITCHES = 48
"""Periods looked at, evenly spaced in pitch: 18 an octave."""
PITCH_SAMPLES = 768  # 48 ms: over three periods of the lowest voice
FFT_SAMPLES = 1024
MIN_POWER = 1e-7  # mean square under which nothing is a voice: -70 dBFS
MIN_SQUARES = 1e-9  # sum of squares under which a correlation is 0
FIRST_PEAK_SHARE = 0.88  # the first peak this high against the highest is the period
VOICED_FROM, VOICED_FULL = 0.55, 0.75
"""Height of the correlation's peak from which a hop may be a voice, and from which it surely is."""
HISTORY_SAMPLES = MEL_HISTORY_SAMPLES + HOP_SAMPLES
"""Samples before a hop that its features still hear."""
LEVEL, PITCH = BANDS, BANDS + 1
TRAITS = BANDS + 2
"""What a voice usually has: its timbre by band, its level, and its pitch in octaves."""
CHANGES = 3
MOTIONS = CHANGES + PITCHES
"""What moves in any voice: its level from one 10 ms to the next, and the correlation by period."""
PIECE_HOPS = 1500
"""Hops of a recording heard at once: half a minute, so that hours need little memory."""

_LAGS = int(SAMPLE_RATE_HZ / LOWEST_HZ) + 2
_pitches = np.linspace(math.log2(HIGHEST_HZ), math.log2(LOWEST_HZ), PITCHES)
_periods = SAMPLE_RATE_HZ / np.exp2(_pitches)
_BELOW: Final = _periods.astype(np.intp)
_PART: Final = (_periods - _BELOW).astype(np.float32)
_OCTAVES: Final = (_pitches - _pitches.mean()).astype(np.float32)


class VoiceFeatures(NamedTuple):
    """What some hops of a voice are like, float32.

    `traits` is [hops, TRAITS], `motions` [hops, MOTIONS]; `voicing`, [hops], 0..1, is how far a hop
    is a voice at all.
    """

    traits: Floats
    motions: Floats
    voicing: Floats


class VoiceFeatureExtractor:
    """Makes features of one voice as it comes."""

    def __init__(self) -> None:
        self._tail = np.zeros(HISTORY_SAMPLES, dtype=np.float32)

    def hear(self, samples: Floats) -> VoiceFeatures:
        """Take the next hops, float32 [hops * HOP_SAMPLES], mono 16 kHz, finite, one or more."""
        sound = np.concatenate((self._tail, samples))
        self._tail = sound[-HISTORY_SAMPLES:]
        return voice_features(sound)


def recording_features(sound: Floats) -> Iterator[VoiceFeatures]:
    """Yield the features of a whole recording, mono 16 kHz [time], one row a begun hop."""
    ear, size = VoiceFeatureExtractor(), PIECE_HOPS * HOP_SAMPLES
    for start in range(0, len(sound), size):
        piece = sound[start : start + size]
        padded = np.zeros(rows_of(len(piece)) * HOP_SAMPLES, dtype=np.float32)
        padded[: len(piece)] = piece
        yield ear.hear(padded)


def voice_features(samples: Floats) -> VoiceFeatures:
    """Return the features of mono 16 kHz sound; nothing is padded.

    `samples` is float32 [HISTORY_SAMPLES + hops * HOP_SAMPLES], -1..1; row k hears nothing after
    sample `HISTORY_SAMPLES + (k + 1) * HOP_SAMPLES`.
    """
    frames = log_mel(samples[None])[0].reshape(-1, 2, BANDS)
    levels = frames.mean(axis=2)
    bands, both = frames[1:].mean(axis=1), levels.mean(axis=1)
    clarity, pitch, voicing = _melody(samples)
    traits = np.empty((len(bands), TRAITS), dtype=np.float32)
    np.subtract(bands, both[1:, None], out=traits[:, :BANDS])
    traits[:, LEVEL], traits[:, PITCH] = both[1:], pitch
    motions = np.empty((len(bands), MOTIONS), dtype=np.float32)
    motions[:, 0] = levels[1:, 0] - levels[:-1, 1]
    motions[:, 1] = levels[1:, 1] - levels[1:, 0]
    motions[:, 2] = levels[1:, 0] - levels[:-1, 0]
    motions[:, CHANGES:] = clarity
    return VoiceFeatures(traits, motions, voicing)


def _melody(samples: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the normalised correlation by period, the pitch in octaves, and voicing.

    The normalised square difference of McLeod and Wyvill 2005 ("A smarter way to find pitch").
    """
    begin = HISTORY_SAMPLES + HOP_SAMPLES - PITCH_SAMPLES
    bounded = np.minimum(np.maximum(samples[None, begin:], -1.0), 1.0)
    frames = framed(bounded, PITCH_SAMPLES, HOP_SAMPLES)[0]
    frames = frames - frames.mean(axis=1, keepdims=True)
    squares = (frames * frames).cumsum(axis=1, dtype=np.float64)
    spectrum = np.fft.rfft(frames, FFT_SAMPLES)
    power = spectrum.real**2 + spectrum.imag**2
    products = np.fft.irfft(power, FFT_SAMPLES)[:, :_LAGS]
    normed = (2.0 * products / np.maximum(_common_squares(squares), MIN_SQUARES)).astype(np.float32)
    clarity = normed[:, _BELOW] * (1.0 - _PART) + normed[:, _BELOW + 1] * _PART
    middle = clarity[:, 1:-1]
    is_peak = (middle > clarity[:, :-2]) & (middle >= clarity[:, 2:])
    heights = middle * is_peak
    peak = heights.max(axis=1)
    first = (is_peak & (heights >= FIRST_PEAK_SHARE * peak[:, None])).argmax(axis=1)
    loud = squares[:, -1] > MIN_POWER * PITCH_SAMPLES
    voicing = np.minimum(np.maximum(peak - VOICED_FROM, 0.0) / (VOICED_FULL - VOICED_FROM), 1.0)
    return clarity, _OCTAVES[first + 1], voicing * loud


def _common_squares(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what frames and copies of them, shifted by 0 to _LAGS - 1, have in common of squares.

    `squares` are their sums up to each sample.
    """
    common = squares[:, : -_LAGS - 1 : -1] + squares[:, -1:]
    common[:, 1:] -= squares[:, : _LAGS - 1]
    return common


FIRST_HOPS = 40.0
"""Hops of an average voice that are supposed to have been heard first. Of the level nothing is:
it depends on the microphone."""
MEMORY_HOPS = 6000.0
"""Voiced hops after which what was heard before counts a third: two minutes of voice."""
PITCH_GAIN = 3.0
"""A difference of a third of an octave is 1 to the network."""


class SpeakerBaseline:
    """What one voice had so far; `average` [TRAITS] is what all voices have."""

    def __init__(self, average: NDArray[np.float32]) -> None:
        self._average = average
        self._sums = np.zeros(TRAITS)
        self._hops = 0.0

    def hear(self, heard: VoiceFeatures) -> NDArray[np.float32]:
        """Take the next hops; return how their traits differ from usual, [hops, TRAITS].

        A hop counts by its voicing and is part of the usual it is held against.
        """
        sums = np.empty(heard.traits.shape)
        hops = np.empty((len(sums), 1))
        for place, voiced in enumerate(heard.voicing.tolist()):
            if voiced:
                keep = 1.0 - voiced / MEMORY_HOPS
                self._hops = keep * self._hops + voiced
                self._sums = keep * self._sums + voiced * heard.traits[place]
            sums[place], hops[place] = self._sums, self._hops
        usual = baseline_of(sums, hops, heard.traits, self._average)
        return np.asarray(heard.traits - usual, dtype=np.float32)


def baseline_of(
    sums: NDArray[Any], hops: NDArray[Any], now: NDArray[np.float32], average: NDArray[np.float32]
) -> NDArray[Any]:
    """Return usual traits [n, TRAITS] of sums of them [n, TRAITS] and the hops [n, 1] they were in.

    Before any voice the usual level is the one `now`, [n, TRAITS].
    """
    usual = (sums + FIRST_HOPS * average) / (hops + FIRST_HOPS)
    level = sums[:, LEVEL] / np.maximum(hops[:, 0], 1e-6)
    usual[:, LEVEL] = np.where(hops[:, 0] > 0.0, level, now[:, LEVEL])
    return np.asarray(usual)


def network_inputs(heard: VoiceFeatures, differences: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the network hears, [hops, INPUTS]; the level itself is not in it.

    `differences` are those of the traits from usual. Pitch counts as far as there is a voice.
    """
    pitch = PITCH_GAIN * differences[:, PITCH:] * heard.voicing[:, None]
    parts = (heard.traits[:, :BANDS], differences[:, :PITCH], pitch, heard.motions)
    return np.concatenate(parts, axis=1)
