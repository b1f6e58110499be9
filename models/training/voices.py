"""Other people's voices made of those that are there: pitch and vocal tract, each on its own.

Playing a recording faster moves both together, as if a whole person had shrunk; fear and joy raise
the pitch alone. Each frame of a short-time spectrum is taken apart into the envelope of the throat
and mouth (cepstral smoothing) and what the voice puts into it; both are stretched along frequency,
each by its factor, and put together again. The phases follow the stretched partials as in a phase
vocoder (Laroche and Dolson, 1999). Nothing moves in time. The smoothing leaves some of a sharp
formant to the voice, so formants follow the pitch by up to a third of its way.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

FRAME = 512  # 32 ms: partials of a low voice are still apart
STEP = 128
THROAT_COEFFICIENTS = 36  # of the cepstrum: what is finer belongs to the voice
FLOOR = 1e-5
PITCH = (0.75, 1.6)
THROAT = (0.88, 1.14)  # men's, women's and children's formants lie about so far apart


def other_voices(samples: Tensor, pitch: Tensor, throat: Tensor) -> Tensor:
    """Return `samples` [batch, time] at 16 kHz with pitch and formants multiplied, [batch] each."""
    window = torch.hann_window(FRAME)
    spectrum = torch.stft(samples, FRAME, STEP, window=window, return_complex=True)
    size = spectrum.abs().clamp(min=FLOOR)
    envelope = _envelope(size)
    advance = _advance(spectrum)
    from_bin = torch.arange(size.shape[1])[None, :, None] / pitch[:, None, None]
    voice = _read((size / envelope).log(), from_bin).exp() * (from_bin <= size.shape[1] - 1)
    moved = _read(advance, from_bin) * pitch[:, None, None]
    phases = torch.cumsum(moved, -1) + (spectrum[..., :1].angle() - moved[..., :1])
    formed = _read(envelope.log(), from_bin * (pitch / throat)[:, None, None]).exp()
    made = torch.polar(voice * formed, phases)
    heard: Tensor = torch.istft(made, FRAME, STEP, window=window, length=samples.shape[-1])
    return heard


def random_voices(samples: Tensor, share: float, dice: torch.Generator) -> Tensor:
    """Return `samples` [batch, time] with a `share` of the rows in another voice."""
    rows = (torch.rand(len(samples), generator=dice) < share).nonzero()[:, 0]
    if not len(rows):
        return samples
    pitch, throat = (_factors(len(rows), *span, dice) for span in (PITCH, THROAT))
    changed = samples.clone()
    changed[rows] = other_voices(samples[rows], pitch, throat)
    return changed


def _factors(rows: int, low: float, high: float, dice: torch.Generator) -> Tensor:
    """Return factors [rows], evenly spread on a logarithmic scale."""
    lowest, widest = math.log(low), math.log(high / low)
    return torch.exp(lowest + widest * torch.rand(rows, generator=dice))


def _envelope(size: Tensor) -> Tensor:
    """Return the smooth envelope of magnitudes [batch, bins, frames]."""
    cepstrum = torch.fft.irfft(size.log(), dim=1)
    cepstrum[:, THROAT_COEFFICIENTS : FRAME - THROAT_COEFFICIENTS + 1] = 0.0
    envelope: Tensor = torch.fft.rfft(cepstrum, dim=1).real.exp()
    return envelope


def _advance(spectrum: Tensor) -> Tensor:
    """Return how far each bin's partial turns from one frame to the next, [batch, bins, frames]."""
    bins = torch.arange(spectrum.shape[1])[None, :, None]
    expected = 2 * math.pi * STEP / FRAME * bins
    turn = torch.diff(spectrum.angle(), dim=-1, prepend=spectrum[..., :1].angle()) - expected
    return expected + torch.remainder(turn + math.pi, 2 * math.pi) - math.pi


def _read(values: Tensor, bins: Tensor) -> Tensor:
    """Return `values` [batch, bins, frames] at fractional `bins` [batch, bins, 1], linearly."""
    last = values.shape[1] - 1
    at = bins.clamp(0, last)
    low = at.floor().long().clamp(max=last - 1)
    share = at - low
    below, above = (values.gather(1, i.expand_as(values)) for i in (low, low + 1))
    return torch.lerp(below, above, share)
