"""What a checkpoint folder says of its network: `config.json` and `preprocessor_config.json`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from models.errors import WeightsError
from models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ
from models.wav2vec.sizes import BASE, Sizes

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_JSON_BYTES = 1024 * 1024
CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
LIMITS = {
    "hidden_size": 2048,
    "num_hidden_layers": 48,
    "num_attention_heads": 64,
    "intermediate_size": 8192,
    "num_conv_pos_embeddings": 512,
    "num_conv_pos_embedding_groups": 256,
}
"""The largest value of each size; the large architecture stays well within."""
CONV_LIMITS = {"conv_dim": 2048, "conv_stride": 16, "conv_kernel": 64}
MOST_CONV_LAYERS = 12
FIXED = {
    "model_type": "wav2vec2",
    "hidden_act": "gelu",
    "feat_extract_activation": "gelu",
    "add_adapter": False,
}
"""Fields that may be missing, but where they stand must say this."""


def read_sizes(folder: Path) -> Sizes:
    """Return the sizes of a checkpoint folder; WeightsError names every fault."""
    config = read_json(folder / CONFIG)
    faults = [
        f"{name} is {config[name]!r}, known is {known!r}"
        for name, known in FIXED.items()
        if config.get(name, known) != known
    ]
    found: dict[str, Any] = {}
    for name, limit in LIMITS.items():
        found[name] = config.get(name, getattr(BASE, name))
        if not _is_count(found[name], limit):
            faults.append(f"{name} is {found[name]!r}, not a whole number from 1 to {limit}")
    for name, limit in CONV_LIMITS.items():
        values = config.get(name, getattr(BASE, name))
        found[name] = tuple(values) if isinstance(values, list | tuple) else ()
        if not found[name] or not all(_is_count(value, limit) for value in found[name]):
            faults.append(f"{name} is {values!r}, not a list of whole numbers from 1 to {limit}")
    found |= _choices(config, faults)
    found["do_normalize"] = _do_normalize(folder / PREPROCESSOR, faults)
    if not faults:
        faults = _misfits(Sizes(**found))
    if faults:
        raise WeightsError(
            f"{folder / CONFIG}: {'; '.join(faults)}; use a wav2vec 2.0 base or large checkpoint"
        )
    return Sizes(**found)


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; WeightsError where there is none."""
    try:
        if path.stat().st_size > LARGEST_JSON_BYTES:
            raise WeightsError(f"{path}: larger than {LARGEST_JSON_BYTES} bytes; fetch it again")
        document = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise WeightsError(
            f"{path}: cannot be read ({error.strerror}); name the folder of a checkpoint"
        ) from error
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: is no JSON ({error}); fetch it again") from error
    if not isinstance(document, dict):
        raise WeightsError(f"{path}: holds no object; fetch it again")
    return document


def _is_count(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _choices(config: dict[str, Any], faults: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("conv_bias", "do_stable_layer_norm"):
        found[name] = config.get(name, False)
        if not isinstance(found[name], bool):
            faults.append(f"{name} is {found[name]!r}, neither true nor false")
    norm = found["feat_extract_norm"] = config.get("feat_extract_norm", "group")
    if norm not in ("group", "layer"):
        faults.append(f"feat_extract_norm is {norm!r}, neither 'group' nor 'layer'")
    eps = found["layer_norm_eps"] = config.get("layer_norm_eps", BASE.layer_norm_eps)
    if not isinstance(eps, float) or not 0.0 < eps < 1.0:
        faults.append(f"layer_norm_eps is {eps!r}, not between 0 and 1")
    return found


def _do_normalize(path: Path, faults: list[str]) -> bool:
    """Return whether sound is brought to unit variance; without the file, it is."""
    if not path.exists():
        return True
    document = read_json(path)
    rate_hz = document.get("sampling_rate", SAMPLE_RATE_HZ)
    if rate_hz != SAMPLE_RATE_HZ:
        faults.append(f"{path.name} says {rate_hz!r} Hz, not {SAMPLE_RATE_HZ}")
    if document.get("feature_size", 1) != 1:
        faults.append(f"{path.name} says feature_size {document['feature_size']!r}, not 1")
    normalize = document.get("do_normalize", True)
    if not isinstance(normalize, bool):
        faults.append(f"{path.name} says do_normalize {normalize!r}, neither true nor false")
    return bool(normalize)


def _misfits(sizes: Sizes) -> list[str]:
    """Return what each of the sizes allows, but not all of them together."""
    faults = []
    lengths = {len(sizes.conv_dim), len(sizes.conv_stride), len(sizes.conv_kernel)}
    if len(lengths) != 1 or max(lengths) > MOST_CONV_LAYERS:
        faults.append(
            "conv_dim, conv_stride and conv_kernel must be equally long,"
            f" at most {MOST_CONV_LAYERS}"
        )
    faults += [
        f"hidden_size {sizes.hidden_size} is no multiple of {name}"
        for name in ("num_attention_heads", "num_conv_pos_embedding_groups")
        if sizes.hidden_size % getattr(sizes, name)
    ]
    if not faults and sizes.hop_samples != HOP_SAMPLES:
        faults.append(f"a frame is {sizes.hop_samples} samples, not {HOP_SAMPLES} (20 ms)")
    return faults
