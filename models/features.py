"""Log-mel features that a causal network can hear: two 10 ms mel frames for each 20 ms hop."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ

STEP_SAMPLES = 160  # 10 ms, one mel frame
FRAME_SAMPLES = 400  # 25 ms of sound in a mel frame
FFT_SAMPLES = 512
BANDS = 64
LOWEST_HZ, HIGHEST_HZ = 60.0, 7600.0
FLOOR = 1e-6  # power at which the logarithm levels off: below the noise of any microphone
LOUDEST = 1000.0  # samples beyond this are cut: sound is within 1, and power must stay finite
MEAN, SPREAD = -8.0, 4.0  # rough centre and width of log-mel speech, so that inputs are near unit
FEATURES = BANDS * HOP_SAMPLES // STEP_SAMPLES
HISTORY_SAMPLES = FRAME_SAMPLES - STEP_SAMPLES
"""Samples before a hop which its first mel frame still hears."""


def mel_filters() -> Tensor:
    """Return triangular filters on the mel scale (2595 log10(1 + f/700)), [bands, bins]."""

    def mel(hz: float) -> float:
        return 2595.0 * math.log10(1.0 + hz / 700.0)

    edges_mel = torch.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), BANDS + 2)
    edges_hz = 700.0 * (10.0 ** (edges_mel / 2595.0) - 1.0)
    bins_hz = torch.arange(FFT_SAMPLES // 2 + 1) * (SAMPLE_RATE_HZ / FFT_SAMPLES)
    lower, centre, upper = (edges_hz[i : i + BANDS, None] for i in range(3))
    rising = (bins_hz - lower) / (centre - lower)
    falling = (upper - bins_hz) / (upper - centre)
    return torch.minimum(rising, falling).clamp(min=0.0)


class LogMel(nn.Module):
    """Mono 16 kHz sound to log-mel features, without padding.

    `[batch, HISTORY_SAMPLES + n * HOP_SAMPLES]` samples in -1..1 become `[batch, FEATURES, n]`:
    column k hears nothing after sample `HISTORY_SAMPLES + (k + 1) * HOP_SAMPLES`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(FRAME_SAMPLES), persistent=False)
        self.register_buffer("filters", mel_filters().T.contiguous(), persistent=False)
        self.window: Tensor
        self.filters: Tensor

    def forward(self, samples: Tensor) -> Tensor:
        """Return the features of `samples`, in fp32 also where all else computes in less."""
        bounded = samples.clamp(-LOUDEST, LOUDEST)
        frames = bounded.unfold(-1, FRAME_SAMPLES, STEP_SAMPLES) * self.window
        spectrum = torch.fft.rfft(frames, FFT_SAMPLES)
        power = spectrum.real.square() + spectrum.imag.square()
        with torch.autocast(samples.device.type, enabled=False):
            mel = ((power @ self.filters).add(FLOOR).log() - MEAN) / SPREAD
        pairs = mel.unflatten(1, (-1, HOP_SAMPLES // STEP_SAMPLES)).flatten(2)
        features: Tensor = pairs.transpose(1, 2)
        return features
