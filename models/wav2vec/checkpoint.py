"""Checkpoint folders: tensors by name, and every one of them accounted for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open

from models.errors import WeightsError
from models.wav2vec.config import read_sizes
from models.wav2vec.network import Wav2Vec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

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


def load(folder: Path, device: torch.device) -> Wav2Vec:
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
