"""A network over a whole recording in one call, without caches: the plainest way to its outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.features import HISTORY_SAMPLES
from models.timing import HOP_SAMPLES, rows_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@torch.inference_mode()
def hear(
    network: Any,
    window_hops: int,
    sound: NDArray[np.float32],
    emotions: NDArray[np.float32],
    delay_hops: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return the face [rows, channels] and phone scores [rows, phones] of mono 16 kHz sound [time].

    `network` is called as `models.network.Generator`, in silence before and after the sound. Its
    outputs after hop k are taken as the face of row k + 1 - `delay_hops`; phone scores (None where
    there are none) answer for the right rows where `delay_hops` is the encoder's own delay.
    `emotions` is [rows, emotions], or [1, emotions] for all rows.
    """
    rows = rows_of(len(sound))
    hops = window_hops + rows + delay_hops - 1
    lead = window_hops * HOP_SAMPLES + HISTORY_SAMPLES
    heard = np.zeros(HISTORY_SAMPLES + hops * HOP_SAMPLES, dtype=np.float32)
    kept = min(len(sound), len(heard) - lead)
    heard[lead : lead + kept] = sound[:kept]
    weights = torch.from_numpy(np.ascontiguousarray(emotions[:1]))
    if (emotions != emotions[:1]).any():
        row = np.clip(np.arange(hops) - window_hops + 1 - delay_hops, 0, rows - 1)
        weights = torch.from_numpy(np.ascontiguousarray(emotions[row].T[None]))
    out, logits = network(torch.from_numpy(heard)[None], weights, torch.tensor([delay_hops]))
    faces: NDArray[np.float32] = network.clamp(out)[0].T.numpy()
    scores = None if logits is None else logits[0].T.numpy()[-rows:]
    return faces[-rows:], scores
