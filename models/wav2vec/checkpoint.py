"""Checkpoint folders of wav2vec 2.0: sizes and tensors, every one of them accounted for."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open

from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ
from cstalk_bridge.models.wav2vec.network import BASE, Wav2Vec, Wav2VecSizes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor


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


def read_sizes(folder: Path) -> Wav2VecSizes:
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
        faults = _misfits(Wav2VecSizes(**found))
    if faults:
        raise WeightsError(
            f"{folder / CONFIG}: {'; '.join(faults)}; use a wav2vec 2.0 base or large checkpoint"
        )
    return Wav2VecSizes(**found)


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


def _misfits(sizes: Wav2VecSizes) -> list[str]:
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


WEIGHTS = "model.safetensors"
LARGEST_FILE_BYTES = 2 * 1024**3
MOST_NAMED = 8  # tensors that one message names
PREFIX = "wav2vec2."
"""Stands before the names where the checkpoint has a head for some task."""

UNUSED = re.compile(
    r"(wav2vec2\.)?masked_spec_embed"
    r"|(lm_head|classifier|projector|quantizer|project_hid|project_q)(\..+)?"
)
"""Tensors of training and of task heads, which a front end needs not."""

POSITIONS = "encoder.pos_conv_embed.conv."
NORM_NAMES = (
    ("weight_g", "weight_v"),
    ("parametrizations.weight.original0", "parametrizations.weight.original1"),
)
"""Size and direction of the weight-normed convolution, as older and newer torch name them."""


def load_checkpoint(folder: Path, device: torch.device) -> Wav2Vec:
    """Return the frozen network of a checkpoint folder; WeightsError says what is wrong."""
    path = folder / WEIGHTS
    _check_files(folder, path)
    sizes = read_sizes(folder)
    with torch.device("meta"):
        network = Wav2Vec(sizes)
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            names = {_short(name): name for name in file.keys() if not UNUSED.fullmatch(name)}  # noqa: SIM118
            norm = _norm_names(names)
            shapes = {s: tuple(file.get_slice(full).get_shape()) for s, full in names.items()}
            _check_shapes(path, _with_norm(wanted, norm), shapes)
            tensors = {s: file.get_tensor(full).float() for s, full in names.items()}
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path}: damaged or no safetensors file ({error}); fetch it again"
        ) from error
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise WeightsError(f"{path}: holds values that are not finite; fetch it again")
    network.load_state_dict(_folded(tensors, norm), assign=True)
    return network.to(device).eval().requires_grad_(requires_grad=False)


def _check_files(folder: Path, path: Path) -> None:
    if not folder.is_dir():
        raise WeightsError(f"{folder}: there is no such folder; name one of a wav2vec 2.0 model")
    if not path.is_file():
        pickled = sorted(p.name for p in folder.glob("*.bin")) + sorted(
            p.name for p in folder.glob("*.pt*")
        )
        why = f" ({pickled[0]} is pickled and could run code: it is not read)" if pickled else ""
        raise WeightsError(
            f"{path}: there is no such file{why}; fetch the model's safetensors in one file"
        )
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise WeightsError(
            f"{path}: larger than {LARGEST_FILE_BYTES} bytes; use a base or large model"
        )


def _short(name: str) -> str:
    return name.removeprefix(PREFIX)


def _norm_names(names: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the names of size and direction of the positions' weight; None where it is whole."""
    for size, direction in NORM_NAMES:
        if POSITIONS + size in names or POSITIONS + direction in names:
            return POSITIONS + size, POSITIONS + direction
    return None


def _with_norm(
    wanted: Mapping[str, tuple[int, ...]], norm: tuple[str, str] | None
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a file in which the positions' weight stands as `norm` says."""
    shapes = dict(wanted)
    if norm is not None:
        whole = shapes.pop(POSITIONS + "weight")
        shapes[norm[0]], shapes[norm[1]] = (1, 1, whole[-1]), whole
    return shapes


def _check_shapes(
    path: Path, wanted: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]
) -> None:
    missing, unexpected = sorted(wanted.keys() - found), sorted(found.keys() - wanted)
    faults = [
        f"{len(names)} {what} tensors ({_listed(names)})"
        for what, names in (("missing", missing), ("unexpected", unexpected))
        if names
    ]
    faults += [
        f"{name} is {list(found[name])}, not {list(shape)}"
        for name, shape in wanted.items()
        if name in found and found[name] != shape
    ][:MOST_NAMED]
    if faults:
        raise WeightsError(
            f"{path}: does not fit its config.json: {'; '.join(faults)};"
            " use both files of one wav2vec 2.0 model"
        )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _folded(tensors: dict[str, Tensor], norm: tuple[str, str] | None) -> dict[str, Tensor]:
    """Return `tensors` with the positions' weight whole: size times direction, per kernel tap."""
    if norm is not None:
        size, direction = tensors.pop(norm[0]), tensors.pop(norm[1])
        length = direction.norm(dim=(0, 1), keepdim=True).clamp(min=1e-12)
        tensors[POSITIONS + "weight"] = direction * (size / length)
    return tensors
