"""The log-mel of OpenAI Whisper without its look at the whole recording.

Whisper levels a recording off at its loudest value less 8 decades; here the floor is fixed, so
that a column depends on 25 ms of sound and on nothing else.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ

STEP_SAMPLES = 160  # 10 ms, one column
FRAME_SAMPLES = 400  # 25 ms of sound in a column, and the size of its Fourier transform
BANDS = 80
LINEAR_HZ, LINEAR_MELS = 1000.0, 15.0  # Slaney's scale is linear up to here, logarithmic above
MEL_RATIO = math.log(6.4) / 27.0
FLOOR_DECADES = -7.5  # under the noise of any microphone, over what rounding leaves
LOUDEST = 1000.0  # samples beyond this are cut: sound is within 1, and power must stay finite
HISTORY_SAMPLES = 360
"""Samples before a hop which its first column still hears; its last column ends within the hop."""
COLUMNS = HOP_SAMPLES // STEP_SAMPLES
"""Columns of a hop."""


def slaney_filters() -> Tensor:
    """Return triangles of unit area on Slaney's mel scale, 0 Hz to half the rate, [bands, bins]."""
    highest = LINEAR_MELS + math.log(SAMPLE_RATE_HZ / 2 / LINEAR_HZ) / MEL_RATIO
    mels = torch.linspace(0, highest, BANDS + 2, dtype=torch.float64)
    above = LINEAR_HZ * ((mels - LINEAR_MELS) * MEL_RATIO).exp()
    edges_hz = torch.where(mels < LINEAR_MELS, mels * LINEAR_HZ / LINEAR_MELS, above)
    bins = torch.arange(FRAME_SAMPLES // 2 + 1, dtype=torch.float64)
    bins_hz = bins * (SAMPLE_RATE_HZ / FRAME_SAMPLES)
    lower, centre, upper = (edges_hz[i : i + BANDS, None] for i in range(3))
    rising = (bins_hz - lower) / (centre - lower)
    falling = (upper - bins_hz) / (upper - centre)
    triangles = torch.minimum(rising, falling).clamp(min=0.0)
    filters: Tensor = (triangles * 2.0 / (upper - lower)).float()
    return filters


class WhisperMel(nn.Module):
    """Mono 16 kHz sound to log-mel columns, 100 a second, without padding."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(FRAME_SAMPLES), persistent=False)
        self.register_buffer("filters", slaney_filters().T.contiguous(), persistent=False)
        self.window: Tensor
        self.filters: Tensor

    def decades(self, samples: Tensor) -> Tensor:
        """Return log10 of the power in each band, at least -10.

        `[batch, FRAME_SAMPLES + n * STEP_SAMPLES]` samples in -1..1 become `[batch, n + 1, BANDS]`;
        column k hears samples k * STEP_SAMPLES to k * STEP_SAMPLES + FRAME_SAMPLES.
        """
        bounded = samples.clamp(-LOUDEST, LOUDEST)
        frames = bounded.unfold(-1, FRAME_SAMPLES, STEP_SAMPLES) * self.window
        spectrum = torch.fft.rfft(frames)
        power = spectrum.real.square() + spectrum.imag.square()
        with torch.autocast(samples.device.type, enabled=False):
            decades: Tensor = (power @ self.filters).clamp(min=1e-10).log10()
        return decades

    def forward(self, samples: Tensor) -> Tensor:
        """Return `decades` above a fixed floor in Whisper's scale, about -1..1.5.

        `[batch, HISTORY_SAMPLES + hops * HOP_SAMPLES]` samples become `[batch, BANDS, columns]`,
        `COLUMNS` of each hop. Column 0 of a hop is centred `HISTORY_SAMPLES` - 200 samples before
        the hop begins.
        """
        columns = self.decades(samples)[:, : (samples.shape[-1] - HISTORY_SAMPLES) // STEP_SAMPLES]
        levelled: Tensor = (columns.clamp(min=FLOOR_DECADES) + 4.0) / 4.0
        return levelled.transpose(1, 2)
