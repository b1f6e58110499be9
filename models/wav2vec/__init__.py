"""The wav2vec 2.0 front end of the paper, from a checkpoint that its user has.

    front_end = load_wav2vec("wav2vec2-base-960h")   # a folder in the Hugging Face layout
    features = front_end(samples)                    # [batch, frames, hidden], one frame per 20 ms

Its attention looks at the whole recording, so it serves offline work
(`cstalk_bridge.models.baselines.teacher`) only. Weights come as safetensors; pickled ones can run
code and are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cstalk_bridge.models.wav2vec.network import Wav2Vec


__all__ = ["load_wav2vec"]


def load_wav2vec(folder: Path | str, device: str = "cpu") -> Wav2Vec:
    """Return the frozen front end of a checkpoint folder.

    The folder holds `config.json`, `model.safetensors` and, as a rule, `preprocessor_config.json`.
    cstalk_bridge.models.errors.WeightsError says all that is wrong with it.
    """
    import torch

    from cstalk_bridge.models.wav2vec.checkpoint import load_checkpoint

    return load_checkpoint(Path(folder), torch.device(device))
