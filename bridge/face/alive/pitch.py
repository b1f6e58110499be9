"""The fundamental frequency of a voice, hop by hop and causal.

Method: the normalised square difference of McLeod and Wyvill 2005 ("A smarter way to find pitch"),
its first high peak, over the last 48 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.audio.hop import HOP_RATE_HZ, HOP_SAMPLES

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

MOST_WINDOWS = 256
"""Windows searched at once: 2 MB of spectra."""
_FFT_SIZE = 1024
"""Room for a window and the longest lag, so that no product wraps around."""
_SHORTEST = int(HOP_RATE_HZ / HIGHEST_HZ)
_LONGEST = int(np.ceil(HOP_RATE_HZ / LOWEST_HZ))


class PitchTracker:
    """Keeps the last window of sound and searches it anew each hop."""

    def __init__(self) -> None:
        self._past: NDArray[np.float64] = np.zeros(WINDOW_SAMPLES - HOP_SAMPLES)

    def step(self, samples: NDArray[np.float32]) -> NDArray[np.float64]:
        """Take the next hops, [hops * 320] at 16 kHz; return F0 in Hz, [hops], 0 without a voice.

        How the sound is cut into calls makes no difference.
        """
        return search(np.stack(self.windows(samples)))

    def windows(self, samples: NDArray[np.float32]) -> list[NDArray[np.float64]]:
        """Take the next hops; return the window that is searched for each, [768]."""
        heard = np.concatenate((self._past, samples), dtype=np.float64)
        self._past = heard[len(samples) :]
        starts = range(0, len(samples), HOP_SAMPLES)
        return [heard[start : start + WINDOW_SAMPLES] for start in starts]


def search(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the F0 of windows of sound, [n, 768] at 16 kHz, in Hz, [n]; 0 without a voice."""
    f0_hz = np.zeros(len(windows))
    loud = np.flatnonzero(np.einsum("nt,nt->n", windows, windows) >= MIN_POWER * WINDOW_SAMPLES)
    for first in range(0, len(loud), MOST_WINDOWS):
        places = loud[first : first + MOST_WINDOWS]
        f0_hz[places] = _periods_hz(_clarity(windows[places]))
    return f0_hz


def _clarity(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the normalised square difference by lag, -1..1, [windows, _LONGEST + 2]."""
    centred = windows - windows.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred, _FFT_SIZE)
    lags = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, _FFT_SIZE)[:, : _LONGEST + 2]
    power = np.zeros((len(windows), WINDOW_SAMPLES + 1))
    np.cumsum(np.square(centred), axis=1, out=power[:, 1:])
    shifts = _LONGEST + 2
    both = power[:, : -shifts - 1 : -1] + power[:, -1:] - power[:, :shifts]
    return np.asarray(2.0 * lags / np.maximum(both, 1e-12))


def _periods_hz(clarity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return F0 by the first high peak of each row, [n], with a parabola through it; else 0."""
    middle = clarity[:, _SHORTEST : _LONGEST + 1]
    is_peak = (middle >= clarity[:, _SHORTEST - 1 : _LONGEST]) & (
        middle > clarity[:, _SHORTEST + 1 : _LONGEST + 2]
    )
    heights = np.where(is_peak, middle, -1.0)
    best = heights.max(axis=1, keepdims=True)
    first = np.argmax(is_peak & (heights >= FIRST_PEAK_SHARE * best), axis=1) + _SHORTEST
    rows = np.arange(len(clarity))
    before, at, after = (clarity[rows, first + step] for step in (-1, 0, 1))
    bend = np.minimum(before - 2.0 * at + after, -1e-12)
    shift = np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    return np.where(best[:, 0] >= VOICED_CLARITY, HOP_RATE_HZ / (first + shift), 0.0)
