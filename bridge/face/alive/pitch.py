"""The fundamental frequency of a voice, hop by hop and causal.

Method: the normalised square difference of McLeod and Wyvill 2005 ("A smarter way to find pitch"),
its first high peak, over the last 48 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.hop import HOP_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOW_SAMPLES = 768
"""48 ms: over three periods of the lowest voice."""
LOWEST_HZ, HIGHEST_HZ = 70.0, 450.0
FIRST_PEAK_SHARE = 0.88
"""The first peak this high against the highest is the period; a lower share takes its harmonics."""
VOICED_CLARITY = 0.6
"""Peak of the normalised difference from which a window is a voice and no noise."""
MIN_POWER = 1e-7
"""Mean square below which nothing is searched: -70 dBFS."""

_FFT_SIZE = 2048
_SHORTEST = int(HOP_RATE_HZ / HIGHEST_HZ)
_LONGEST = int(np.ceil(HOP_RATE_HZ / LOWEST_HZ))


class PitchTracker:
    """Keeps the last window of sound and searches it anew each hop."""

    def __init__(self) -> None:
        self._window = np.zeros(WINDOW_SAMPLES)

    def step(self, samples: NDArray[np.float32]) -> float:
        """Hear the next samples, [time] at 16 kHz; return F0 in Hz, 0.0 without a voice."""
        window = self._window
        count = min(len(samples), WINDOW_SAMPLES)
        window[: WINDOW_SAMPLES - count] = window[count:].copy()
        window[WINDOW_SAMPLES - count :] = samples[len(samples) - count :]
        if float(window @ window) < MIN_POWER * WINDOW_SAMPLES:
            return 0.0
        return _period_hz(_clarity(window))


def _clarity(window: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the normalised square difference by lag, -1..1, [_LONGEST + 2]."""
    spectrum = np.fft.rfft(window - window.mean(), _FFT_SIZE)
    lags = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, _FFT_SIZE)[: _LONGEST + 2]
    power = np.concatenate(([0.0], np.cumsum((window - window.mean()) ** 2)))
    shifts = np.arange(_LONGEST + 2)
    both = power[WINDOW_SAMPLES - shifts] + power[-1] - power[shifts]
    return np.asarray(2.0 * lags / np.maximum(both, 1e-12))


def _period_hz(clarity: NDArray[np.float64]) -> float:
    middle = clarity[_SHORTEST : _LONGEST + 1]
    is_peak = (middle >= clarity[_SHORTEST - 1 : _LONGEST]) & (
        middle > clarity[_SHORTEST + 1 : _LONGEST + 2]
    )
    peaks = np.flatnonzero(is_peak)
    if not len(peaks):
        return 0.0
    heights = middle[peaks]
    best = float(heights.max())
    if best < VOICED_CLARITY:
        return 0.0
    lag = int(peaks[np.argmax(heights >= FIRST_PEAK_SHARE * best)]) + _SHORTEST
    before, at, after = clarity[lag - 1 : lag + 2].tolist()
    bend = before - 2.0 * at + after
    shift = 0.5 * (before - after) / bend if bend < 0.0 else 0.0
    return HOP_RATE_HZ / (lag + shift)
