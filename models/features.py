"""The log-mel features of `models.mel` in torch, for training and GPUs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.mel import (
    FFT_SAMPLES,
    FLOOR,
    FRAME_SAMPLES,
    LOUDEST,
    MEAN,
    SPREAD,
    STEP_SAMPLES,
    mel_filters,
    window,
)
from models.timing import HOP_SAMPLES


class LogMel(nn.Module):
    """Mono 16 kHz sound to log-mel features, without padding.

    `[batch, HISTORY_SAMPLES + n * HOP_SAMPLES]` samples in -1..1 become `[batch, FEATURES, n]`:
    column k hears nothing after sample `HISTORY_SAMPLES + (k + 1) * HOP_SAMPLES`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.tensor(window()), persistent=False)
        filters = torch.tensor(mel_filters()).T.contiguous()
        self.register_buffer("filters", filters, persistent=False)
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
