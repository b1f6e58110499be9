"""A tiny wav2vec 2.0 checkpoint in the layout of the published ones, its weights sines."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HIDDEN = 24
CONFIG: dict[str, Any] = {
    "architectures": ["Wav2Vec2ForCTC"],
    "model_type": "wav2vec2",
    "hidden_size": HIDDEN,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "hidden_act": "gelu",
    "feat_extract_activation": "gelu",
    "feat_extract_norm": "group",
    "conv_dim": [12] * 7,
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_bias": False,
    "num_conv_pos_embeddings": 9,
    "num_conv_pos_embedding_groups": 4,
    "do_stable_layer_norm": False,
    "layer_norm_eps": 1e-5,
    "vocab_size": 32,
}
LARGE: dict[str, Any] = {
    "feat_extract_norm": "layer",
    "conv_bias": True,
    "do_stable_layer_norm": True,
}
PREPROCESSOR = {
    "feature_extractor_type": "Wav2Vec2FeatureExtractor",
    "feature_size": 1,
    "sampling_rate": 16000,
    "do_normalize": True,
}
OLD = ("weight_g", "weight_v")
NEW = ("parametrizations.weight.original0", "parametrizations.weight.original1")


def sines(name: str, shape: Sequence[int]) -> torch.Tensor:
    """Values that the tensor's name fixes, whatever it is called in old or new checkpoints."""
    plain = name.replace(NEW[0], OLD[0]).replace(NEW[1], OLD[1])
    phase = zlib.crc32(plain.encode()) % 1000
    count = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    values = 0.35 * torch.sin(count * 1.7 + phase)
    is_scale = plain.endswith(("norm.weight", "weight_g"))
    return (values + (1.0 if is_scale else 0.0)).float().reshape(shape)


def write_checkpoint(
    folder: Path, *, norm_names: tuple[str, str] = OLD, prefix: str = "wav2vec2.", **config: Any
) -> dict[str, torch.Tensor]:
    """Write the three files of a checkpoint, with a CTC head if it has a prefix; return tensors."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = CONFIG | config
    with torch.device("meta"):
        network = Wav2Vec2ForCTC(Wav2Vec2Config(**whole))
    tensors = {}
    for name, tensor in network.state_dict().items():
        plain = name.removeprefix("wav2vec2.").replace(NEW[0], norm_names[0])
        plain = plain.replace(NEW[1], norm_names[1])
        if plain == name and prefix:
            tensors[name] = torch.zeros(tensor.shape)  # the head
        elif plain != name:
            tensors[f"{prefix}{plain}"] = sines(plain, tensor.shape)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(whole), encoding="utf-8")
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR), encoding="utf-8")
    return tensors


def chirp(samples: int) -> torch.Tensor:
    """Sound with something new in every frame, [1, samples]."""
    time = torch.arange(samples, dtype=torch.float64) / 16_000
    return (0.1 * torch.sin(2 * torch.pi * (200 + 900 * time) * time) + 0.02).float()[None]
