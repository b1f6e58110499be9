"""What phones a recording holds, as the speech encoder's own heads tell.

It tells the articulation network what the captured faces say, and what every other voice says
(`articulation.py`): guesses carry over better than phones that an aligner found, because they tell
how clearly and exactly when something was said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from cstalk_bridge.models.encoder.network import encode
from cstalk_bridge.models.encoder.reach import RIGHT_HOPS
from cstalk_bridge.models.encoder.weights import load_encoder
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.loading import ENCODER_PATH
from cstalk_bridge.models.phones import PHONES
from cstalk_bridge.models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


MOST_FUTURE = len(RIGHT_HOPS) - 1
"""The delay at which the encoder hears most after a row's time: nothing here is in a hurry."""


class EarPhones:
    """The encoder and its heads at the longest delay; WeightsError where the file has no heads."""

    def __init__(self, path: Path = ENCODER_PATH) -> None:
        self._encoder, heads, description = load_encoder(path)
        if heads is None or description.heads[: len(PHONES)] != PHONES:
            raise WeightsError(f"{path}: its heads do not tell our phones; name another encoder")
        self._heads = heads

    @torch.inference_mode()
    def hear(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of each phone, [rows, phones], of mono 16 kHz `samples`.

        One row a whole hop; row i is at i * 20 ms.
        """
        rows = len(samples) // HOP_SAMPLES
        heard = torch.from_numpy(encode(self._encoder, samples, MOST_FUTURE)[:rows])
        logits = self._heads(heard)[:, : len(PHONES)]
        return np.asarray(logits.softmax(-1).numpy(), dtype=np.float32)
