"""Safetensors files with a description in their metadata: written atomically, validated on reading.

Free of torch: tensors are NumPy arrays.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.files import write_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray


LARGEST_FILE_BYTES = 200 * 1024 * 1024


def write_tensors(
    path: Path,
    tensors: Mapping[str, ArrayLike],
    file_format: str,
    description: Mapping[str, Any],
) -> None:
    """Write tensors (also torch's, of the CPU) and what they are; a file is replaced whole."""
    metadata = {"format": file_format, "description": json.dumps(description)}
    whole = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    write_file(path, save(whole, metadata))


def read_tensors(
    path: Path, file_format: str
) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
    """Return the tensors and the description of a file of that format.

    WeightsError says what is wrong with it and what to do: no file, too large, damaged, another
    format, values that are not finite.
    """
    try:
        is_there = path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        is_there = False
    if not is_there:
        raise WeightsError(f"{path}: there is no such weights file; name one that exists")
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise WeightsError(f"{path}: larger than {LARGEST_FILE_BYTES} bytes; name a smaller one")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError) as error:
        raise WeightsError(
            f"{path}: damaged or no safetensors file ({error}); fetch or make it again"
        ) from error
    if metadata.get("format") != file_format:
        found = metadata.get("format", "none")
        raise WeightsError(
            f"{path}: format {found}, expected {file_format}; use a file made for this version"
        )
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise WeightsError(f"{path}: holds values that are not finite; fetch or make it again")
    try:
        description = dict(json.loads(metadata["description"]))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise WeightsError(
            f"{path}: its description is damaged ({error!r}); fetch or make it again"
        ) from error
    return tensors, description
