"""Phone probabilities of a recording, from the speech encoder's own heads.

They are the inputs of the articulation network (`captured_faces.py`), for captured faces and for
every other voice: probabilities transfer better than aligned phones, because they show how clearly
and exactly when a phone was spoken.
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
"""The longest delay, at which the encoder uses the most future: nothing here is live."""


class PhoneRecognizer:
    """The encoder and its heads at the longest delay; WeightsError where the file has no heads."""

    def __init__(self, path: Path = ENCODER_PATH) -> None:
        self._encoder, heads, description = load_encoder(path)
        if heads is None or description.heads[: len(PHONES)] != PHONES:
            raise WeightsError(
                f"{path}: its heads do not predict these phones; name another encoder"
            )
        self._heads = heads

    @torch.inference_mode()
    def recognize(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of each phone, [rows, phones], of mono 16 kHz `samples`.

        One row a whole hop; row i is at i * 20 ms.
        """
        rows = len(samples) // HOP_SAMPLES
        features = torch.from_numpy(encode(self._encoder, samples, MOST_FUTURE)[:rows])
        logits = self._heads(features)[:, : len(PHONES)]
        return np.asarray(logits.softmax(-1).numpy(), dtype=np.float32)
