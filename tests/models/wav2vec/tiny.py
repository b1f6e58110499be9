"""A tiny wav2vec 2.0 checkpoint in the layout of the published ones, its weights sines."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file

if TYPE_CHECKING:
    from pathlib import Path

HIDDEN, WIDE, CONV, POSITIONS, GROUPS, LAYERS = 24, 40, 12, 9, 4, 2
CONFIG: dict[str, Any] = {
    "architectures": ["Wav2Vec2ForCTC"],
    "model_type": "wav2vec2",
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 3,
    "intermediate_size": WIDE,
    "hidden_act": "gelu",
    "feat_extract_activation": "gelu",
    "feat_extract_norm": "group",
    "conv_dim": [CONV] * 7,
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_bias": False,
    "num_conv_pos_embeddings": POSITIONS,
    "num_conv_pos_embedding_groups": GROUPS,
    "do_stable_layer_norm": False,
    "layer_norm_eps": 1e-5,
    "vocab_size": 32,
}
LARGE = {"feat_extract_norm": "layer", "conv_bias": True, "do_stable_layer_norm": True}
PREPROCESSOR = {
    "feature_extractor_type": "Wav2Vec2FeatureExtractor",
    "feature_size": 1,
    "sampling_rate": 16000,
    "do_normalize": True,
}
OLD = ("weight_g", "weight_v")
NEW = ("parametrizations.weight.original0", "parametrizations.weight.original1")


def shapes(config: dict[str, Any], norm_names: tuple[str, str]) -> dict[str, tuple[int, ...]]:
    """The tensors of a checkpoint, as the published ones name them."""
    found: dict[str, tuple[int, ...]] = {}

    def pair(name: str, *shape: int) -> None:
        found[f"{name}.weight"], found[f"{name}.bias"] = shape, shape[:1]

    for layer, kernel in enumerate(config["conv_kernel"]):
        at = f"feature_extractor.conv_layers.{layer}"
        found[f"{at}.conv.weight"] = (CONV, CONV if layer else 1, kernel)
        if config["conv_bias"]:
            found[f"{at}.conv.bias"] = (CONV,)
        if config["feat_extract_norm"] == "layer" or not layer:
            pair(f"{at}.layer_norm", CONV)
    pair("feature_projection.layer_norm", CONV)
    pair("feature_projection.projection", HIDDEN, CONV)
    found["encoder.pos_conv_embed.conv.bias"] = (HIDDEN,)
    found[f"encoder.pos_conv_embed.conv.{norm_names[0]}"] = (1, 1, POSITIONS)
    found[f"encoder.pos_conv_embed.conv.{norm_names[1]}"] = (HIDDEN, HIDDEN // GROUPS, POSITIONS)
    pair("encoder.layer_norm", HIDDEN)
    for layer in range(LAYERS):
        at = f"encoder.layers.{layer}"
        for part in ("k_proj", "v_proj", "q_proj", "out_proj"):
            pair(f"{at}.attention.{part}", HIDDEN, HIDDEN)
        pair(f"{at}.layer_norm", HIDDEN)
        pair(f"{at}.feed_forward.intermediate_dense", WIDE, HIDDEN)
        pair(f"{at}.feed_forward.output_dense", HIDDEN, WIDE)
        pair(f"{at}.final_layer_norm", HIDDEN)
    found["masked_spec_embed"] = (HIDDEN,)
    return found


def sines(name: str, shape: tuple[int, ...]) -> torch.Tensor:
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
    """Write the three files of a checkpoint with a CTC head and return its tensors."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = CONFIG | config
    tensors = {f"{prefix}{n}": sines(n, s) for n, s in shapes(whole, norm_names).items()}
    if prefix:
        tensors |= {"lm_head.weight": torch.zeros(32, HIDDEN), "lm_head.bias": torch.zeros(32)}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(whole), encoding="utf-8")
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR), encoding="utf-8")
    return tensors


def chirp(samples: int) -> torch.Tensor:
    """Sound with something new in every frame, [1, samples]."""
    time = torch.arange(samples, dtype=torch.float64) / 16_000
    return (0.1 * torch.sin(2 * torch.pi * (200 + 900 * time) * time) + 0.02).float()[None]
