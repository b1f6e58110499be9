"""The log-mel of OpenAI Whisper without its look at the whole recording.

Whisper levels a recording off at its loudest value less 8 decades; here the floor is fixed, so
that a column depends on 25 ms of sound and on nothing else.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cstalk_bridge.models.encoder.log_mel import (
    FLOOR_DECADES,
    FRAME_SAMPLES,
    HISTORY_SAMPLES,
    LOUDEST,
    STEP_SAMPLES,
    slaney_filters,
)


class WhisperMel(nn.Module):
    """Mono 16 kHz sound to log-mel columns, 100 a second, without padding."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(FRAME_SAMPLES), persistent=False)
        filters = torch.from_numpy(slaney_filters()).T.contiguous()
        self.register_buffer("filters", filters, persistent=False)
        self.window: Tensor
        self.filters: Tensor

    def decades(self, samples: Tensor) -> Tensor:
        """Return log10 of the power in each band, at least -10.

        `[batch, FRAME_SAMPLES + n * STEP_SAMPLES]` samples in -1..1 become `[batch, n + 1, BANDS]`;
        column k covers samples k * STEP_SAMPLES to k * STEP_SAMPLES + FRAME_SAMPLES.
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
