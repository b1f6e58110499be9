"""Voice features for emotion recognition: timbre, loudness, pitch, and their changes.

Each is taken relative to the speaker's running baseline, which is updated while the voice speaks.
The recording level has no effect: a band is relative to the mean of all bands, loudness to the
speaker's baseline, and pitch is a normalised correlation. Nothing here is trained.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from cstalk_bridge.models.features import BANDS, framed, log_mel
from cstalk_bridge.models.features import HISTORY_SAMPLES as MEL_HISTORY_SAMPLES
from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


LOWEST_HZ, HIGHEST_HZ = 70.0, 450.0
PITCHES = 48
"""Number of candidate periods, evenly spaced in pitch: 18 per octave."""
PITCH_SAMPLES = 768  # 48 ms: over three periods of the lowest voice
FFT_SAMPLES = 1024
MIN_POWER = 1e-7  # mean square below which a hop is unvoiced: -70 dBFS
MIN_SQUARES = 1e-9  # sum of squares under which a correlation is 0
FIRST_PEAK_SHARE = 0.88  # the first peak this high relative to the highest is the period
VOICED_FROM, VOICED_FULL = 0.55, 0.75
"""Correlation peak above which a hop may be voiced, and at which it certainly is."""
HISTORY_SAMPLES = MEL_HISTORY_SAMPLES + HOP_SAMPLES
"""Samples before a hop that its features depend on."""
LEVEL, PITCH = BANDS, BANDS + 1
TRAITS = BANDS + 2
"""Number of traits of a voice: its timbre by band, its level, and its pitch in octaves."""
CHANGES = 3
MOTIONS = CHANGES + PITCHES
"""Number of motions: changes of level from 10 ms to 10 ms, and the correlation by period."""
PIECE_HOPS = 1500
"""Hops of a recording processed at once: half a minute, which bounds the memory."""

_LAGS = int(SAMPLE_RATE_HZ / LOWEST_HZ) + 2
_pitches = np.linspace(math.log2(HIGHEST_HZ), math.log2(LOWEST_HZ), PITCHES)
_periods = SAMPLE_RATE_HZ / np.exp2(_pitches)
_BELOW: Final = _periods.astype(np.intp)
_PART: Final = (_periods - _BELOW).astype(np.float32)
_OCTAVES: Final = (_pitches - _pitches.mean()).astype(np.float32)


class VoiceFeatures(NamedTuple):
    """Features of hops of a voice, float32.

    `traits` is [hops, TRAITS], `motions` [hops, MOTIONS]; `voicing`, [hops], 0..1, is the degree to
    which a hop is voiced.
    """

    traits: Floats
    motions: Floats
    voicing: Floats


class VoiceFeatureExtractor:
    """Extracts the features of one voice, hop by hop."""

    def __init__(self) -> None:
        self._tail = np.zeros(HISTORY_SAMPLES, dtype=np.float32)

    def process(self, samples: Floats) -> VoiceFeatures:
        """Return the features of the next hops, one or more.

        `samples` is float32 [hops * HOP_SAMPLES], mono 16 kHz, finite.
        """
        sound = np.concatenate((self._tail, samples))
        self._tail = sound[-HISTORY_SAMPLES:]
        return voice_features(sound)


def recording_features(sound: Floats) -> Iterator[VoiceFeatures]:
    """Yield the features of a whole recording, mono 16 kHz [time], a row for each started hop."""
    extractor, size = VoiceFeatureExtractor(), PIECE_HOPS * HOP_SAMPLES
    for start in range(0, len(sound), size):
        piece = sound[start : start + size]
        padded = np.zeros(rows_of(len(piece)) * HOP_SAMPLES, dtype=np.float32)
        padded[: len(piece)] = piece
        yield extractor.process(padded)


def voice_features(samples: Floats) -> VoiceFeatures:
    """Return the features of mono 16 kHz sound; nothing is padded.

    `samples` is float32 [HISTORY_SAMPLES + hops * HOP_SAMPLES], -1..1; row k depends on nothing
    after sample `HISTORY_SAMPLES + (k + 1) * HOP_SAMPLES`.
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
    """Return the sums of squares of the overlap of frames with copies shifted by 0 to _LAGS - 1.

    `squares` are the cumulative sums of squares.
    """
    common = squares[:, : -_LAGS - 1 : -1] + squares[:, -1:]
    common[:, 1:] -= squares[:, : _LAGS - 1]
    return common


PRIOR_HOPS = 40.0
"""Hops of an average voice that are assumed as a prior; not of the level, which depends on the
microphone."""
MEMORY_HOPS = 6000.0
"""Time constant of the baseline, in voiced hops: two minutes of voice."""
PITCH_GAIN = 3.0
"""Scale of the network's pitch input: a third of an octave is 1."""


class SpeakerBaseline:
    """The running mean of a speaker's traits; `average` [TRAITS] is that of all speakers."""

    def __init__(self, average: NDArray[np.float32]) -> None:
        self._average = average
        self._sums = np.zeros(TRAITS)
        self._hops = 0.0

    def update(self, features: VoiceFeatures) -> NDArray[np.float32]:
        """Add the next hops; return their traits less the baseline, [hops, TRAITS].

        A hop is weighted by its voicing and is part of the baseline that it is compared with.
        """
        sums = np.empty(features.traits.shape)
        hops = np.empty((len(sums), 1))
        for place, voiced in enumerate(features.voicing.tolist()):
            if voiced:
                keep = 1.0 - voiced / MEMORY_HOPS
                self._hops = keep * self._hops + voiced
                self._sums = keep * self._sums + voiced * features.traits[place]
            sums[place], hops[place] = self._sums, self._hops
        baseline = baseline_of(sums, hops, features.traits, self._average)
        return np.asarray(features.traits - baseline, dtype=np.float32)


def baseline_of(
    sums: NDArray[Any], hops: NDArray[Any], now: NDArray[np.float32], average: NDArray[np.float32]
) -> NDArray[Any]:
    """Return the baseline [n, TRAITS] of sums of traits [n, TRAITS] over `hops` [n, 1].

    Before any voice its level is that of `now`, [n, TRAITS].
    """
    baseline = (sums + PRIOR_HOPS * average) / (hops + PRIOR_HOPS)
    level = sums[:, LEVEL] / np.maximum(hops[:, 0], 1e-6)
    baseline[:, LEVEL] = np.where(hops[:, 0] > 0.0, level, now[:, LEVEL])
    return np.asarray(baseline)


def network_inputs(
    features: VoiceFeatures, differences: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the inputs of the network, [hops, INPUTS], without the level itself.

    `differences` are those of the traits from the baseline. Pitch is weighted by voicing.
    """
    pitch = PITCH_GAIN * differences[:, PITCH:] * features.voicing[:, None]
    parts = (features.traits[:, :BANDS], differences[:, :PITCH], pitch, features.motions)
    return np.concatenate(parts, axis=1)
