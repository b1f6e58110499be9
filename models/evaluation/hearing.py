"""The phones that a network's encoder hears in a whole recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from models.mel import HISTORY_SAMPLES
from models.network import PHONE_DELAY_HOPS
from models.timing import HOP_SAMPLES, rows_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.face_network import FaceNetwork


@torch.inference_mode()
def heard_phones(network: FaceNetwork, sound: NDArray[np.float32]) -> NDArray[np.int64] | None:
    """Return the likeliest phone of each row, [rows], of mono 16 kHz sound [time].

    The recording is heard at one go, in silence before and after. None: the network tells none.
    """
    sizes = network.architecture
    if not sizes.phones:
        return None
    rows = rows_of(len(sound))
    hops = sizes.window_hops + rows + PHONE_DELAY_HOPS - 1
    lead = HISTORY_SAMPLES + sizes.window_hops * HOP_SAMPLES
    heard = np.zeros(HISTORY_SAMPLES + hops * HOP_SAMPLES, dtype=np.float32)
    kept = min(len(sound), len(heard) - lead)
    heard[lead : lead + kept] = sound[:kept]
    # The encoder comes before emotion and delay, so they can be anything.
    nothing = torch.zeros(1, sizes.emotions)
    none = torch.zeros(1, dtype=torch.long)
    _, logits = network(torch.from_numpy(heard)[None], nothing, none)
    return None if logits is None else logits[0, :, logits.shape[2] - rows :].argmax(0).numpy()
