"""What the mood of a voice is heard by: timbre, loudness, melody, and how they move.

How loud the sound is makes no difference: a band counts against the mean of all bands, loudness
against what this voice usually has, and melody is a normalised correlation.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.features import LogMel
from models.mel import BANDS
from models.mel import HISTORY_SAMPLES as MEL_HISTORY_SAMPLES
from models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ

LOWEST_HZ, HIGHEST_HZ = 70.0, 450.0
PITCHES = 48
"""Periods looked at, evenly spaced in pitch: 18 an octave."""
PITCH_SAMPLES = 768  # 48 ms: over three periods of the lowest voice
FFT_SAMPLES = 1024
MIN_POWER = 1e-7  # mean square under which nothing is a voice: -70 dBFS
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


class VoiceFeatures(nn.Module):
    """Mono 16 kHz sound to traits, motions and voicing, without padding."""

    def __init__(self) -> None:
        super().__init__()
        self.log_mel = LogMel()
        pitches = torch.linspace(math.log2(HIGHEST_HZ), math.log2(LOWEST_HZ), PITCHES)
        lags = SAMPLE_RATE_HZ / torch.exp2(pitches)
        self.register_buffer("octaves", pitches - pitches.mean(), persistent=False)
        self.register_buffer("below", lags.long(), persistent=False)
        self.register_buffer("part", lags - lags.long(), persistent=False)
        self.octaves: Tensor
        self.below: Tensor
        self.part: Tensor
        self._longest = int(SAMPLE_RATE_HZ / LOWEST_HZ) + 2

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return traits `[batch, TRAITS, n]`, motions `[batch, MOTIONS, n]`, voicing `[batch, n]`.

        `samples` is `[batch, HISTORY_SAMPLES + n * HOP_SAMPLES]`, -1..1; column k hears nothing
        after sample `HISTORY_SAMPLES + (k + 1) * HOP_SAMPLES`. Voicing is 0..1.
        """
        first, second = self.log_mel(samples).chunk(2, 1)
        early, late = first.mean(1, keepdim=True), second.mean(1, keepdim=True)
        before, level = early[..., :-1], 0.5 * (early + late)[..., 1:]
        early, last, late = early[..., 1:], late[..., :-1], late[..., 1:]
        timbre = 0.5 * (first + second)[..., 1:] - level
        clarity, pitch, voicing = self._melody(samples)
        traits = torch.cat((timbre, level, pitch), 1)
        motions = torch.cat((early - last, late - early, early - before, clarity), 1)
        return traits, motions, voicing

    def _melody(self, samples: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the normalised correlation by period, the pitch in octaves, and voicing.

        The normalised square difference of McLeod and Wyvill 2005 ("A smarter way to find pitch").
        """
        begin = HISTORY_SAMPLES + HOP_SAMPLES - PITCH_SAMPLES
        frames = samples[:, begin:].clamp(-1.0, 1.0).unfold(-1, PITCH_SAMPLES, HOP_SAMPLES)
        frames = frames - frames.mean(-1, keepdim=True)
        spectrum = torch.fft.rfft(frames, FFT_SAMPLES)
        power = spectrum.real.square() + spectrum.imag.square()
        products = torch.fft.irfft(power, FFT_SAMPLES)[..., : self._longest]
        normed = 2.0 * products / _common_squares(frames, self._longest).clamp(min=1e-9)
        clarity = normed[..., self.below] * (1.0 - self.part)
        clarity = clarity + normed[..., self.below + 1] * self.part
        middle = clarity[..., 1:-1]
        is_peak = (middle > clarity[..., :-2]) & (middle >= clarity[..., 2:])
        heights = middle * is_peak
        peak = heights.amax(-1, keepdim=True)
        first = (is_peak & (heights >= FIRST_PEAK_SHARE * peak)).float().argmax(-1)
        pitch = self.octaves[first + 1]
        loud = frames.square().mean(-1) > MIN_POWER
        voicing = ((peak[..., 0] - VOICED_FROM) / (VOICED_FULL - VOICED_FROM)).clamp(0.0, 1.0)
        return clarity.transpose(1, 2), pitch[:, None], voicing * loud


def _common_squares(frames: Tensor, lags: int) -> Tensor:
    """Return the squares that a frame and its copy, shifted by 0 to lags - 1, have in common."""
    total = frames.square().cumsum(-1)
    early = total[..., PITCH_SAMPLES - lags :].flip(-1)
    late = functional.pad(total[..., : lags - 1], (1, 0))
    return early + total[..., -1:] - late
