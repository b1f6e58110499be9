"""Whole recordings through networks that keep no caches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from models.mel import HISTORY_SAMPLES
from models.timing import HOP_S, HOP_SAMPLES, ROW_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from models.face_network import FaceNetwork

PIECE_ROWS = 750
"""Rows made at once, of all recordings together, where the network is windowed."""
MAX_WHOLE_S = 600
"""Longest recording, of all of a batch together, for a network that must hear it at once."""


@torch.inference_mode()
def whole_faces(
    network: FaceNetwork,
    sounds: NDArray[np.float32],
    conditions: NDArray[np.float32],
    delay_hops: int,
) -> NDArray[np.float32]:
    """Return the faces of recordings of equal length, float32 [batch, rows, channels].

    `sounds` is [batch, rows * HOP_SAMPLES] at 16 kHz, `conditions` those of the network for each
    row, [batch, rows, conditions]; row i is the face of audio time i/50 s. Before and after a
    recording there is silence. ValueError: too long for a network that is not windowed.
    """
    batch, rows = conditions.shape[:2]
    if not network.is_windowed and batch * rows > MAX_WHOLE_S * ROW_RATE_HZ:
        raise ValueError(
            f"{batch * rows * HOP_S:.0f} s of sound: this network hears a recording at once;"
            f" give at most {MAX_WHOLE_S} s"
        )
    window = network.architecture.window_hops
    # Output k answers for row k - delay: the first one follows a hop of silence.
    count = rows + delay_hops
    lead = HISTORY_SAMPLES + window * HOP_SAMPLES
    samples = np.zeros((batch, lead + (count - 1) * HOP_SAMPLES), dtype=np.float32)
    heard = sounds[:, : samples.shape[1] - lead]
    samples[:, lead : lead + heard.shape[1]] = heard
    places = np.clip(np.arange(count + window - 1) - (window - 1) - delay_hops, 0, rows - 1)
    device = network.minimum.device
    sound = torch.from_numpy(samples).to(device)
    told = torch.from_numpy(conditions[:, places].swapaxes(1, 2).copy()).to(device)
    delays = torch.full((batch,), delay_hops, device=device)
    most = max(1, PIECE_ROWS // batch) if network.is_windowed else count
    made = [
        _piece(network, sound, told, delays, slice(first, min(first + most, count)))
        for first in range(0, count, most)
    ]
    faces: NDArray[np.float32] = torch.cat(made, -1).transpose(1, 2).cpu().numpy()
    return faces[:, delay_hops:]


def _piece(
    network: FaceNetwork, sound: Tensor, told: Tensor, delays: Tensor, outputs: slice
) -> Tensor:
    """Return the clamped `outputs` of all that `sound` could give, [batch, channels, n]."""
    hops = slice(outputs.start, outputs.stop + network.architecture.window_hops - 1)
    samples = slice(hops.start * HOP_SAMPLES, hops.stop * HOP_SAMPLES + HISTORY_SAMPLES)
    made, _ = network(sound[:, samples], told[..., hops], delays)
    return network.clamp(made)
